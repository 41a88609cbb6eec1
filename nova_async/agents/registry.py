"""The agents we know, each an object in a file of its own; strangers' agents join them when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

from nova_async.agents.agent import Agent
from nova_async.agents.claude import CLAUDE
from nova_async.agents.codex import CODEX
from nova_async.agents.gemini import GEMINI
from nova_async.agents.invocation import Names, agent_and_arguments
from nova_async.agents.opencode import OPENCODE
from nova_async.agents.plain import PlainReader
from nova_async.agents.qwen import QWEN

__all__ = ["AGENTS", "DEFAULT_AGENT", "PLAIN", "agent_of_output", "mode_of_output", "recognise"]

# Background shells ignore INT, and nothing is known to be gained by it.
PLAIN = Agent(
    name="plain",
    program="",
    counts_live=True,
    tells_cost=False,
    make_reader=lambda mode, resumed_from: PlainReader(whose=name_of_output),
)

BUILT_IN: Mapping[str, Agent] = MappingProxyType(
    {agent.name: agent for agent in (CLAUDE, CODEX, GEMINI, OPENCODE, QWEN, PLAIN)}
)
NAMES = Names.of(BUILT_IN.values())

DEFAULT_AGENT = CLAUDE.name
"""Whom a plan that names nobody is for."""


@final
class Agents(Mapping[str, Agent]):
    """The agents by name: ours, and those that installed packages bring."""

    def __getitem__(self, name: str) -> Agent:
        agent = BUILT_IN.get(name) or _load_agent(name)
        if agent is None:
            raise KeyError(name)
        return agent

    def __iter__(self) -> Iterator[str]:
        yield from BUILT_IN
        yield from _load_agents()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<agents: {', '.join(self)}>"


# What looks for installed packages takes longer to import than all the rest of this room, and is seldom needed.


def _load_agent(name: str) -> Agent | None:
    from nova_async.agents.load import load_agent

    return load_agent(name)


def _load_agents() -> Iterator[str]:
    from nova_async.agents.load import load_agents

    return (name for name, _ in load_agents(frozenset(BUILT_IN)))


AGENTS: Mapping[str, Agent] = Agents()
"""The agents by name."""


def recognise(command: Sequence[Any]) -> Agent:
    """Return the agent that a command line starts, else ``plain``; also behind ``npx``, ``timeout`` or ``sh -c``.

    Only the command is looked at, never what it prints, and only our own agents are known by their program. Never
    raises.
    """
    return BUILT_IN[agent_and_arguments(command, NAMES).agent or PLAIN.name]


def agent_of_output(line: bytes) -> Agent | None:
    """Return the agent whose output such a line seems to begin; None for any other line.

    For showing a log that nobody knows, and for a hint; never for counting: any program can print such a line (G44).
    """
    if not line.startswith((b"{", b"[")):
        return None
    found = [agent for agent in BUILT_IN.values() if agent.program and agent.opens(line)]
    # Two of them print lines of one shape; the first one says which version of which program it is.
    named = [agent for agent in found if f'"{agent.name}_code_version"'.encode() in line]
    return next(iter(named or found), None)


def name_of_output(line: bytes) -> str | None:
    """Return the name of that agent."""
    agent = agent_of_output(line)
    return agent.name if agent is not None else None


def mode_of_output(agent: Agent, command: Sequence[Any]) -> str | None:
    """Return the mode in which an agent's output is to be read; None where the first event will tell.

    The command line of a wrapper does not show how it calls the agent.
    """
    mode = agent.mode_of(command)
    return None if mode == "text" and agent is not recognise(command) else mode
