"""As whom tasks run: which agents, with which permissions, and the command lines that these become."""

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from nova_async._core.text import one_line
from nova_async.agents import AGENTS
from nova_async.cascade import Cascade, Task
from nova_async.cli.ink import Ink, Line, Span
from nova_async.orchestrator.countable import named
from nova_async.words import Permissions

__all__ = ["LONGEST_COMMAND", "Calling", "callings", "describe_callings"]

PROMPT = "…"  # stands for it: it is another one for each task
LONGEST_COMMAND = 2000  # characters; longer ones are shown with --json


@final
@dataclass(frozen=True, slots=True)
class Calling:
    """One way in which an agent is called, and the tasks for which it is."""

    agent: str
    permissions: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    """Variables that carry its permissions."""
    tasks: tuple[str, ...]

    def describe(self, of_all: bool) -> str:
        """Write it in one line, as it could be typed; the tasks are named unless it is ``of_all``."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.env.items()]
        words = [word if word == PROMPT else shlex.quote(word) for word in self.command]
        tasks = "" if of_all else named(list(self.tasks))
        return f"{self.agent}, permissions {self.permissions}{tasks}: {' '.join([*variables, *words])}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "agent": self.agent, "permissions": self.permissions, "command": self.command, "env": dict(self.env),
            "tasks": self.tasks,
        }  # fmt: skip


def callings(cascade: Cascade, ids: Iterable[str] | None = None) -> list[Calling]:
    """Return the ways in which the agents of these tasks, or of all, are called.

    Tasks with a command of the plan's own are left out.
    """
    tasks: dict[tuple[str, str, tuple[str, ...]], list[Task]] = {}
    for task in map(cascade.tasks.__getitem__, cascade.tasks if ids is None else ids):
        options = task.options
        if cascade.command_of(task) is None and options.agent in AGENTS:
            tasks.setdefault((options.agent, str(options.permissions), options.agent_args), []).append(task)
    return [
        Calling(
            name, permissions, tuple(AGENTS[name].command(PROMPT, permissions=permissions, extra=extra)),
            AGENTS[name].environment_for(permissions), tuple(task.id for task in found),
        )
        for (name, permissions, extra), found in tasks.items()
    ]  # fmt: skip


def describe_callings(cascade: Cascade, ids: Collection[str]) -> Iterator[Line]:
    """Give a line for each way in which the agents of these tasks are called."""
    for calling in callings(cascade, ids):
        ink = Ink.AMBER if calling.permissions == Permissions.FULL else Ink.PLAIN
        text = one_line(calling.describe(len(calling.tasks) == len(ids)), LONGEST_COMMAND)
        yield [Span("as ", Ink.GREY), Span(text, ink)]
