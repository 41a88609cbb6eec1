"""``nova agents``: who can be supervised, who is here, and how they are called."""

import json
import shlex
import shutil
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from nova_async.agents import AGENTS
from nova_async.cli.options import command_of, flag
from nova_async.cli.say import say

__all__ = ["command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    json: bool = flag(help="Write one JSON document instead of a table.")


def describe_agents() -> list[dict[str, Any]]:
    """Return each agent's name, where it is installed, and the command that nova would run."""
    return [
        {"agent": name, "path": shutil.which(agent.program), "command": agent.command("PROMPT")}
        for name, agent in AGENTS.items()
        if agent.program
    ]


def show_agents(options: Options) -> int:
    """Show the agents that nova can read, which of them are installed, and how it calls them."""
    found = describe_agents()
    if options.json:
        say(json.dumps(found, indent=2))
        return 0
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("agent", "installed", "how nova calls it"):
        table.add_column(title, overflow="fold")
    for entry in found:
        table.add_row(entry["agent"], entry["path"] or "no", shlex.join(entry["command"]))
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)
    say(
        "\nAny other command can be supervised too; its tokens are counted from lines such as\n"
        "Token usage: input=1234, output=567, cache_read=890, cache_creation=123"
    )
    return 0


command = command_of(Options, show_agents)
