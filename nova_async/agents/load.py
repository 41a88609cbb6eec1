"""Finds the agents that installed packages bring: the only file of this room that looks at the system.

A package names an agent as an entry point of the group ``nova_async.agents``; the entry point's name is the agent's.
"""

import importlib.metadata
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from nova_async.agents.agent import CUSTOM, Agent, Call, ReaderMaker, RendererMaker
from nova_async.agents.guarded import GuardedReader, GuardedRenderer, sentence_of
from nova_async.agents.reader import AgentReader
from nova_async.usage import TokenUsage

__all__ = ["load_agent", "load_agents"]

GROUP = "nova_async.agents"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")  # as a plan writes it, and short enough for a column

_loaded: dict[str, Agent | None] = {}


def load_agent(name: str) -> Agent | None:
    """Return the agent of this name that an installed package brings, or None.

    One that cannot be had is told of in one warning, once; nothing that it does raises.
    """
    found = entry_points().get(name)
    if found is None:
        return None
    if name not in _loaded:
        _loaded[name] = None  # whatever happens now, it is not tried again
        try:
            _loaded[name] = _guarded(_checked(name, found.load()))
        except (Exception, SystemExit) as error:
            _warn(found, sentence_of(error))
    return _loaded[name]


def load_agents(taken: frozenset[str]) -> Iterator[tuple[str, Agent]]:
    """Return all of them by name; those whose name is taken already are told of and left out."""
    for name, found in entry_points().items():
        if name not in taken:
            agent = load_agent(name)
            if agent is not None:
                yield name, agent
        elif name not in _loaded:
            _loaded[name] = None
            _warn(found, "nova_async already has an agent of this name")


@cache
def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the entry points by name; of two with one name the first found."""
    try:
        found = tuple(importlib.metadata.entry_points(group=GROUP))
    except Exception as error:  # one malformed file of any package at all
        message = f"cannot look for agents in installed packages: {sentence_of(error)}"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return {}
    return {entry.name: entry for entry in reversed(found)}


def _checked(name: str, agent: object) -> Agent:
    if not isinstance(agent, Agent):
        raise TypeError(f"{agent!r:.100} is not an Agent")
    if agent.name != name:
        raise ValueError(f"its name is {agent.name!r}: give the entry point the same name")
    if not NAME.fullmatch(name) or name == CUSTOM:
        raise ValueError("a name must start with a lowercase letter, use only a-z, 0-9, '-' and '_', and be free")
    if not agent.program:
        raise ValueError("no program given")
    return agent


def _guarded(agent: Agent) -> Agent:
    """Return the agent with readers, renderers and commands that cannot harm their users."""
    make_command = None if agent.make_command is None else _guarded_commands(agent.name, agent.make_command)
    return replace(
        agent,
        make_reader=_guarded_readers(agent.make_reader),
        make_renderer=_guarded_renderers(agent.make_renderer),
        make_command=make_command,
    )


def _guarded_readers(make: ReaderMaker) -> ReaderMaker:
    def reader(mode: str | None, resumed_from: TokenUsage | None) -> AgentReader:
        return GuardedReader(lambda: make(mode, resumed_from))

    return reader


def _guarded_renderers(make: RendererMaker) -> RendererMaker:
    return lambda mode: GuardedRenderer(lambda: make(mode))


def _guarded_commands(name: str, make: Callable[[Call], list[str]]) -> Callable[[Call], list[str]]:
    def command(call: Call) -> list[str]:
        try:
            made: Any = make(call)
        except Exception as error:
            raise ValueError(f"agent {name!r} cannot make a command: {sentence_of(error)}") from error
        if not isinstance(made, list | tuple) or not made or not all(isinstance(word, str) for word in made):
            raise ValueError(f"agent {name!r} returned an invalid command: {made!r:.100} is not a list of strings")
        return [str(word) for word in made]  # an enumeration is a string, too, and prints as something else

    return command


def _warn(found: importlib.metadata.EntryPoint, why: str) -> None:
    package = found.dist.name if found.dist is not None else found.value
    message = f"the agent {found.name!r} of the package {package} cannot be used: {why}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
