"""A run as numbers for Prometheus, in its text format. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from nova_async.control.board import Board, Why
from nova_async.usage import TokenUsage
from nova_async.words import TaskState

__all__ = ["METRICS_TYPE", "metrics"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What the format is called in the head of an answer."""

RUNNING = "nova_run_running"


class Sample(NamedTuple):
    """One number, with the labels that tell it from others of its name."""

    value: float
    labels: Mapping[str, str] = {}


class Metric(NamedTuple):
    """Numbers of one name.

    Sums of tokens and money are gauges and no counters: an agent's final total replaces what was estimated, and may be
    less.
    """

    name: str
    help: str
    samples: list[Sample]


def metrics(board: Board | None) -> str:
    """Write all that is known of a run; of none, only that nothing runs."""
    found = [Metric(RUNNING, "Whether a run is running.", [Sample(0)])] if board is None else [*of_run(board)]
    return "".join(line for metric in found if metric.samples for line in lines_of(metric))


def lines_of(metric: Metric) -> Iterator[str]:
    """Yield the lines of one metric."""
    yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n"
    for value, labels in metric.samples:
        named = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
        yield f"{metric.name}{{{named}}} {value!r}\n" if named else f"{metric.name} {value!r}\n"


def escaped(text: str) -> str:
    """Write a label's value; a half of a surrogate pair, which UTF-8 does not have, becomes a question mark."""
    text = text.encode(errors="replace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def of_run(board: Board) -> Iterator[Metric]:
    """Yield what is known of a run."""
    run, tasks, sums = board.run, board.tasks.values(), board.total.sums
    about = {"project": run.project, "plan": run.cascade_file, "run_id": run.run_id, "condition": str(board.condition)}
    yield Metric(RUNNING, "Whether a run is running.", [Sample(int(not board.is_over))])
    yield Metric("nova_run_info", "Which run it is, and how it is.", [Sample(1, about)])
    yield Metric("nova_run_started_seconds", "When the plan was first started.", moment(run.started_at))
    yield Metric("nova_run_ended_seconds", "When the run ended.", moment(run.completed_at))
    yield Metric("nova_run_paused", "Whether nothing new begins.", [Sample(int(run.is_paused))])
    yield Metric("nova_workers", "How many tasks may run at once.", [Sample(run.max_workers)])
    states = Counter(task.state for task in tasks)
    by_state = [Sample(states[state], {"state": str(state)}) for state in TaskState]
    yield Metric("nova_tasks", "Tasks by state; those in progress are running.", by_state)
    ends = Counter(attempt.end.outcome for task in tasks for attempt in task.attempts if attempt.end is not None)
    for task in tasks:
        ends += task.earlier.outcomes if task.earlier is not None else Counter()
    by_outcome = [Sample(count, {"outcome": str(outcome)}) for outcome, count in sorted(ends.items())]
    yield Metric("nova_attempts", "Attempts that have ended, by outcome; of earlier runs too.", by_outcome)
    yield Metric("nova_work_seconds", "Working time of all attempts.", [Sample(round(sums.duration_seconds, 3))])
    yield Metric("nova_tokens", "Tokens by kind and model; no model where none was named.", [*by_model(board)])
    complete = [Sample(int(sums.cost_is_complete))]
    cost = [("reported", sums.cost_usd), ("estimated", sums.estimated_usd)]
    by_source = [Sample(usd, {"source": source}) for source, usd in cost if usd is not None]
    yield Metric("nova_cost_usd", "US dollars, as agents report them or by a list of prices.", by_source)
    yield Metric("nova_cost_complete", "0 where tokens were used whose cost is unknown.", complete)
    yield from of_limits(board)
    needs = Counter(need.why for need in board.needs)
    yield Metric(
        "nova_needs_somebody", "What waits for a person.", [Sample(needs[why], {"why": str(why)}) for why in Why]
    )


def of_limits(board: Board) -> Iterator[Metric]:
    """Yield what is known of usage limits and budgets."""
    run = board.run
    waiting = sum(len(limit.task_ids) for limit in board.limits)
    yield Metric("nova_limit_waiting_tasks", "Tasks that wait for a usage limit.", [Sample(waiting)])
    used = [Sample(gauge.used, {"agent": gauge.agent, "limit": gauge.kind}) for gauge in run.gauges]
    yield Metric("nova_limit_used_ratio", "How full a usage limit is, as the agent told it.", used)
    resets = [
        Sample(gauge.resets_at.timestamp(), {"agent": gauge.agent, "limit": gauge.kind})
        for gauge in run.gauges if gauge.resets_at is not None
    ]  # fmt: skip
    yield Metric("nova_limit_resets_seconds", "When a usage limit resets.", resets)
    until = [
        Sample(hold.until.timestamp(), {"agent": hold.agent, "model": hold.model or "", "limit": hold.kind or ""})
        for hold in run.holds if hold.until is not None
    ]  # fmt: skip
    yield Metric("nova_hold_until_seconds", "Until when the tasks of an agent wait.", until)
    budgets = [budget for budget in run.budgets if budget.task_id is None]
    for unit, name in (("usd", "US dollars"), ("tokens", "tokens")):
        mosts = [Sample(most) for each in budgets if (most := budget_of(unit, each.max_cost_usd, each.max_tokens))]
        spent = [Sample(each.cost_usd if unit == "usd" else each.tokens) for each in budgets] if mosts else []
        yield Metric(f"nova_budget_{unit}", f"The run's budget in {name}.", mosts)
        yield Metric(f"nova_budget_{unit}_used", f"How much of it is used, in {name}.", spent)


def budget_of(unit: str, usd: float | None, tokens: int | None) -> float | None:
    """Return a budget in a unit; None where it has none."""
    return usd if unit == "usd" else tokens


def moment(at: datetime | None) -> list[Sample]:
    """Return a moment in seconds since 1970; nothing where there is none."""
    return [] if at is None else [Sample(at.timestamp())]


def by_model(board: Board) -> Iterator[Sample]:
    """Yield the tokens of each model; what no agent has put down to one has none."""
    sums = board.total.sums
    named = sums.usage_by_model
    left = rest(sums.usage, named.values())
    for model, kinds in [*((model, named[model].as_dict()) for model in sorted(named)), ("", left)]:
        for kind, count in kinds.items() if any(kinds.values()) else ():
            yield Sample(count, {"kind": kind.removesuffix("_tokens"), "model": model})


def rest(total: TokenUsage, named: Iterable[TokenUsage]) -> dict[str, int]:
    """Return what of a total is not among its named parts, never less than nothing."""
    parts = sum(named, TokenUsage()).as_dict()
    return {kind: max(count - parts[kind], 0) for kind, count in total.as_dict().items()}
