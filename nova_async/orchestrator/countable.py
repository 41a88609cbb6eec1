"""Which budgets the agents of a plan can be held to, known from their commands alone. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import final

from nova_async._core.text import listed
from nova_async.agents import AGENTS, Agent, recognise
from nova_async.cascade import Cascade, Task

__all__ = ["Counted", "budget_problems", "counted_tasks", "late_budgets", "named", "told"]

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
    model: str | None = None
    """The model that the command line names."""

    @property
    def tells_tokens(self) -> bool:
        """Whether its tokens will be known in the end."""
        return self.mode != "text"

    @property
    def tells_dollars(self) -> bool:
        """Whether it reports its cost in the end, or is held to its cap by itself."""
        return (self.agent.tells_cost and self.mode != "text") or (self.is_ours and self.agent.caps_cost)

    @property
    def counts_tokens_live(self) -> bool:
        """Whether its tokens are known while it works."""
        return self.agent.is_counted_live(self.mode)

    @property
    def counts_dollars_live(self) -> bool:
        """Whether it reports its cost while it works, or is held to its cap by itself."""
        return self.agent.costs_live or (self.is_ours and self.agent.caps_cost)


def never(_: Counted) -> bool:
    """Tell that nothing can be estimated."""
    return False


def budget_problems(
    cascade: Cascade, tasks: Iterable[Task] | None = None, can_estimate: Callable[[Counted], bool] = never
) -> dict[str, list[str]]:
    """Say which budgets nothing could ever be counted against, each with the ids of its tasks.

    ``tasks`` are those that would run; without it, all of the plan. ``can_estimate`` tells for which there are prices.
    """
    found: dict[str, list[str]] = {}
    for task, counted in counted_tasks(cascade, cascade.tasks.values() if tasks is None else tasks):
        key = budget_key(cascade, task, "budget_usd")
        if key is not None and not counted.tells_dollars and not can_estimate(counted):
            found.setdefault(f"{key} cannot be enforced: {why_no_dollars(counted)}", []).append(task.id)
        if (key := budget_key(cascade, task, "budget_tokens")) is not None and not counted.tells_tokens:
            found.setdefault(f"{key} cannot be enforced: {why_no_tokens(counted)}", []).append(task.id)
    return found


def late_budgets(cascade: Cascade, can_estimate: Callable[[Counted], bool] = never) -> list[str]:
    """Say which budgets are noticed late, because the agent tells its numbers only at its end."""
    late: dict[str, list[str]] = {}
    for task, counted in counted_tasks(cascade, cascade.tasks.values()):
        name = counted.agent.name
        if budget_key(cascade, task, "budget_usd") and (what := comes_late(counted, can_estimate(counted))):
            sentence = f"budget_usd takes effect late{{}}: {name} reports its {what} only when it ends"
            late.setdefault(sentence, []).append(task.id)
        if budget_key(cascade, task, "budget_tokens") and counted.tells_tokens and not counted.counts_tokens_live:
            late.setdefault(
                f"budget_tokens takes effect late{{}}: {name} reports its tokens only when it ends", []
            ).append(task.id)
    return [sentence.format(named(tasks)) for sentence, tasks in late.items()]


def comes_late(counted: Counted, can_estimate: bool) -> str | None:
    """Say which number comes too late for a budget in dollars: the cost, or the tokens that it is estimated from."""
    if counted.counts_dollars_live or (can_estimate and counted.counts_tokens_live):
        return None
    return "cost" if counted.tells_dollars else "tokens" if can_estimate else None


def in_all_orders(cascade: Cascade, tasks: Iterable[Task]) -> Iterator[Task]:
    """Yield each task as every agent that may run it would."""
    return (each for task in tasks for each in cascade.in_order(task))


def counted_tasks(cascade: Cascade, tasks: Iterable[Task]) -> Iterator[tuple[Task, Counted]]:
    """Yield each task as every agent that may run it would, with what can be known of its use; not without a command.

    Most tasks of a plan run in the same way, and what that is takes a hundred times as long as to see that.
    """
    found: dict[tuple[object, ...], Counted | None] = {}
    for task in in_all_orders(cascade, tasks):
        options, is_chosen = task.options, cascade.is_written(task, "agent")
        way = cascade.command_of(task), options.agent, is_chosen, options.model, options.agent_args
        if way not in found:
            found[way] = counted_of(cascade, task)
        if (counted := found[way]) is not None:
            yield task, counted


def counted_of(cascade: Cascade, task: Task) -> Counted | None:
    """Return what can be known of a task's use; None where no command can be made for it."""
    template, chosen = cascade.command_of(task), AGENTS.get(task.options.agent)
    if template is None:
        if chosen is None or chosen.make_command is None:
            return None
        try:
            command = chosen.command("x", task.options.model, extra=task.options.agent_args)
        except ValueError:
            return None
        return Counted(chosen.name, chosen, chosen.mode_of(command), is_ours=True, model=chosen.model_of(command))
    recognised = recognise(template)
    agent = chosen if chosen is not None and cascade.is_written(task, "agent") else recognised
    mode = agent.mode_of(template)
    if agent is not recognised and mode == "text":
        mode = None  # a wrapper's command line does not show how it calls the agent
    model = task.options.model if "{model}" in template else agent.model_of(template)
    return Counted(template[0], agent, mode, is_ours=False, model=model)


def budget_key(cascade: Cascade, task: Task, key: str) -> str | None:
    """Return the key that sets a budget for a task: its own, or that of the run."""
    if getattr(task.options, key):
        return key if key in task.written or key in cascade.overrides else f"task_{key}"
    return key if getattr(cascade.settings, key) else None


def why_no_dollars(counted: Counted) -> str:
    """Say why a cost will never be known, and what to write instead."""
    tellers = [agent.name for agent in AGENTS.values() if agent.costs_live or agent.caps_cost]
    instead = f"Use budget_tokens instead, `prices`, or an agent that reports it ({', '.join(tellers)})"
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
