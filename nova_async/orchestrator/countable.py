"""Which budgets the agents of a plan can be held to, known from their commands alone. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from nova_async._core.text import listed
from nova_async.agents import AGENTS, Agent, recognise
from nova_async.cascade import Cascade, Task

__all__ = ["budget_problems", "late_budgets", "named", "told"]

NAMED = 3  # tasks in one sentence


@final
@dataclass(frozen=True, slots=True)
class Counted:
    """What can ever be known of what a task uses."""

    program: str
    """Whose output it is, for people."""
    agent: Agent
    mode: str | None
    """Its output mode; None where only its output will tell."""
    is_ours: bool
    """Whether the command line is the agent's own, so that it is told its caps."""

    @property
    def tells_tokens(self) -> bool:
        return self.mode != "text"

    @property
    def tells_dollars(self) -> bool:
        return (self.agent.tells_cost and self.mode != "text") or (self.is_ours and self.agent.caps_cost)

    @property
    def counts_tokens_live(self) -> bool:
        return self.agent.is_counted_live(self.mode)

    @property
    def counts_dollars_live(self) -> bool:
        return self.agent.costs_live or (self.is_ours and self.agent.caps_cost)


def budget_problems(cascade: Cascade, tasks: Iterable[Task] | None = None) -> dict[str, list[str]]:
    """Say which budgets nothing could ever be counted against, each with the ids of its tasks.

    ``tasks`` are those that would run; without it, all of the plan.
    """
    found: dict[str, list[str]] = {}
    for task in in_all_orders(cascade, cascade.tasks.values() if tasks is None else tasks):
        counted = counted_of(cascade, task)
        if counted is None:
            continue
        if (key := budget_key(cascade, task, "budget_usd")) is not None and not counted.tells_dollars:
            found.setdefault(f"{key} cannot be enforced: {why_no_dollars(counted)}", []).append(task.id)
        if (key := budget_key(cascade, task, "budget_tokens")) is not None and not counted.tells_tokens:
            found.setdefault(f"{key} cannot be enforced: {why_no_tokens(counted)}", []).append(task.id)
    return found


def late_budgets(cascade: Cascade) -> list[str]:
    """Say which budgets are noticed late, because the agent tells its numbers only at its end."""
    late: dict[str, list[str]] = {}
    for task in in_all_orders(cascade, cascade.tasks.values()):
        counted = counted_of(cascade, task)
        if counted is None:
            continue
        name = counted.agent.name
        if budget_key(cascade, task, "budget_usd") and counted.tells_dollars and not counted.counts_dollars_live:
            late.setdefault(f"budget_usd takes effect late{{}}: {name} reports its cost only when it ends", []).append(
                task.id
            )
        if budget_key(cascade, task, "budget_tokens") and counted.tells_tokens and not counted.counts_tokens_live:
            late.setdefault(
                f"budget_tokens takes effect late{{}}: {name} reports its tokens only when it ends", []
            ).append(task.id)
    return [sentence.format(named(tasks)) for sentence, tasks in late.items()]


def in_all_orders(cascade: Cascade, tasks: Iterable[Task]) -> Iterator[Task]:
    """Yield each task as every agent that may run it would."""
    return (each for task in tasks for each in cascade.in_order(task))


def counted_of(cascade: Cascade, task: Task) -> Counted | None:
    """Return what can be known of a task's use; None where no command can be made for it."""
    template, chosen = cascade.command_of(task), AGENTS.get(task.options.agent)
    if template is None:
        if chosen is None or chosen.make_command is None:
            return None
        try:
            command = chosen.command("x", extra=task.options.agent_args)
        except ValueError:
            return None
        return Counted(chosen.name, chosen, chosen.mode_of(command), is_ours=True)
    recognised = recognise(template)
    agent = chosen if chosen is not None and cascade.is_written(task, "agent") else recognised
    mode = agent.mode_of(template)
    if agent is not recognised and mode == "text":
        mode = None  # a wrapper's command line does not show how it calls the agent
    return Counted(template[0], agent, mode, is_ours=False)


def budget_key(cascade: Cascade, task: Task, key: str) -> str | None:
    """Return the key that sets a budget for a task: its own, or that of the run."""
    if getattr(task.options, key):
        return key if key in task.written or key in cascade.overrides else f"task_{key}"
    return key if getattr(cascade.settings, key) else None


def why_no_dollars(counted: Counted) -> str:
    """Say why a cost will never be known, and what to write instead."""
    tellers = [agent.name for agent in AGENTS.values() if agent.costs_live or agent.caps_cost]
    instead = f"Use budget_tokens instead, or an agent that reports it ({', '.join(tellers)})"
    if counted.agent.tells_cost:
        return f"`{counted.program}` reports no cost in text mode. Let it print JSON events, or use budget_tokens"
    if not counted.agent.program:
        return f'`{counted.program}` reports no cost. {instead}; for a script around an agent, write agent = "NAME"'
    return f"{counted.agent.name} never reports its cost. {instead}"


def why_no_tokens(counted: Counted) -> str:
    """Say why no token will ever be counted, and what to write instead."""
    return f"`{counted.program}` reports no tokens in text mode. Let it print JSON events, or remove the budget"


def named(tasks: list[str]) -> str:
    """Name the tasks that are meant, or the first of many."""
    return f" ({listed(list(dict.fromkeys(tasks)), NAMED)})"


def told(found: tuple[str, list[str]]) -> str:
    """Write a sentence with the tasks that it is about."""
    sentence, tasks = found
    return f"{listed(list(dict.fromkeys(tasks)), NAMED)}: {sentence}" if tasks else sentence
