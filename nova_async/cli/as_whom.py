"""As whom tasks run: which agents, with which permissions, and the command lines that these become."""

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from nova_async._core.text import one_line
from nova_async.agents import AGENTS
from nova_async.cascade import Cascade
from nova_async.cascade.agent_order import AgentChoice
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
    account: str
    """Empty for the agent's usual one."""
    is_next: bool
    """Whether it is only called once those before it in the order are at their usage limits."""
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
        who = f"{'next ' if self.is_next else ''}{AgentChoice(self.agent, self.account)}"
        return f"{who}, permissions {self.permissions}{tasks}: {' '.join([*variables, *words])}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "agent": self.agent, "account": self.account, "is_next": self.is_next, "permissions": self.permissions,
            "command": self.command, "env": dict(self.env), "tasks": self.tasks,
        }  # fmt: skip


def callings(cascade: Cascade, ids: Iterable[str] | None = None) -> list[Calling]:
    """Return the ways in which the agents of these tasks, or of all, are called.

    Tasks with a command of the plan's own are left out.
    """
    tasks: dict[tuple[AgentChoice, bool, Permissions, tuple[str, ...]], list[str]] = {}
    for task in map(cascade.tasks.__getitem__, cascade.tasks if ids is None else ids):
        for place, options in enumerate(each.options for each in cascade.in_order(task)):
            if cascade.command_of(task) is None and options.agent in AGENTS:
                way = options.choice, place > 0, options.permissions, options.agent_args
                tasks.setdefault(way, []).append(task.id)
    return [
        Calling(
            choice.agent, choice.account, is_next, str(permissions),
            tuple(AGENTS[choice.agent].command(PROMPT, permissions=permissions, extra=extra)),
            AGENTS[choice.agent].environment_for(permissions), tuple(found),
        )
        for (choice, is_next, permissions, extra), found in tasks.items()
    ]  # fmt: skip


def describe_callings(cascade: Cascade, ids: Collection[str]) -> Iterator[Line]:
    """Give a line for each way in which the agents of these tasks are called."""
    for calling in callings(cascade, ids):
        ink = Ink.AMBER if calling.permissions == Permissions.FULL else Ink.PLAIN
        text = one_line(calling.describe(len(calling.tasks) == len(ids)), LONGEST_COMMAND)
        yield [Span("as ", Ink.GREY), Span(text, ink)]
