"""``nova agents``: who can be supervised, who is here, and how they are called."""

import shlex
import shutil
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from nova_async.agents import AGENTS

__all__ = ["show_agents"]


def describe_agents() -> list[dict[str, Any]]:
    """Return each agent's name, where it is installed, and the command that nova would run."""
    return [
        {"agent": name, "path": shutil.which(agent.program), "command": agent.command("PROMPT")}
        for name, agent in AGENTS.items()
        if agent.program
    ]


def show_agents(*, as_json: bool) -> None:
    """Print them as a table, or as one JSON document."""
    found = describe_agents()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("agent", "installed", "how nova calls it"):
        table.add_column(title, overflow="fold")
    for entry in found:
        table.add_row(entry["agent"], entry["path"] or "no", shlex.join(entry["command"]))
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)
    typer.echo(
        "\nAny other command can be supervised too; its tokens are counted from lines such as\n"
        "Token usage: input=1234, output=567, cache_read=890, cache_creation=123"
    )
