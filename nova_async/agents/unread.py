"""Agents that have no reader here: some of them exit with 0 whatever became of the task."""

from collections.abc import Sequence
from typing import Any

from nova_async.agents.invocation import Names, agent_and_arguments

__all__ = ["unread_agent"]

PROGRAMS = (
    *("aider", "amp", "auggie", "cline", "copilot", "crush", "cursor-agent", "devin", "droid", "forge", "goose"),
    *("grok", "iflow", "junie", "kilocode", "kimi", "kiro-cli", "mini-swe-agent", "openhands", "pi", "plandex"),
    *("vibe",),
)
NAMES = Names({program: program for program in PROGRAMS}, {})


def unread_agent(command: Sequence[Any]) -> str | None:
    """Return the program of an agent that a command starts and nobody here can read; None for any other."""
    return agent_and_arguments(command, NAMES).agent
