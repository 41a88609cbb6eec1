"""``nova agents``: who can be supervised, who is here, and how they are called."""

import json
import shlex
import shutil
from dataclasses import dataclass
from typing import Any

from nova_async.agents import AGENTS
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.ink import Line
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
    """List the agents nova can read, which are installed, and how nova calls them."""
    found = describe_agents()
    if options.json:
        say(json.dumps(found, indent=2))
        return 0
    rows: list[list[Line]] = [["agent", "installed", "how nova calls it"]]
    rows += [[entry["agent"], entry["path"] or "no", shlex.join(entry["command"])] for entry in found]
    say(*table_lines(rows, folding=(1, 2), width=columns_of_terminal()))
    say(
        "\nAny other command can be supervised too; its tokens are counted from lines such as\n"
        "Token usage: input=1234, output=567, cache_read=890, cache_creation=123"
    )
    return 0


command = command_of(Options, show_agents)
