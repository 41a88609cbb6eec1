"""Roll-ups: what the states of tasks mean for a group, a branch, the whole project."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

from nova_async.cascade.cascade import Cascade
from nova_async.usage import TokenUsage

__all__ = ["COLOURS", "CascadeRollup", "Rollup", "TaskFacts", "roll_up", "roll_up_cascade", "status_of"]

COLOURS = {"failed": "#ef4444", "in_progress": "#f59e0b", "completed": "#10b981", "pending": "#6b7280"}
"""The colour of each status: red, yellow, green, gray."""


@final
@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What is known of one task in a run, in the words of the state file."""

    status: str = "pending"
    """``pending``, ``in_progress``, ``completed`` or ``failed``."""
    duration_seconds: float = 0.0
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float | None = None
    """An estimate; None is unknown, which is not nothing."""


@final
@dataclass(frozen=True, slots=True)
class Rollup:
    """Several tasks seen as one."""

    status: str
    total: int
    completed: int
    failed: int
    in_progress: int
    pending: int
    duration_seconds: float
    usage: TokenUsage
    cost_usd: float
    """The sum of what is known, in US dollars."""
    cost_is_partial: bool
    """Some task has run and its cost is unknown: show the sum with a ≥ before it."""

    @property
    def progress(self) -> float:
        """The completed part of all tasks, from 0 to 1."""
        return self.completed / self.total if self.total else 0.0

    @property
    def colour(self) -> str:
        """The status as a CSS colour."""
        return COLOURS[self.status]


@final
@dataclass(frozen=True, slots=True)
class CascadeRollup:
    """The roll-ups of a whole plan."""

    project: Rollup
    branches: Mapping[str, Rollup]
    groups: Mapping[tuple[str, str], Rollup]
    """By branch and group."""


def status_of(statuses: Iterable[str]) -> str:
    """Roll statuses up, of tasks or of groups of them: worst first, and completed only if everything is."""
    seen = set(statuses)
    for status in ("failed", "in_progress"):
        if status in seen:
            return status
    return "completed" if seen == {"completed"} else "pending"


def roll_up(facts: Iterable[TaskFacts]) -> Rollup:
    """Sum up tasks; none at all are pending."""
    facts = list(facts)
    counts = Counter(fact.status for fact in facts)
    return Rollup(
        status=status_of(counts),
        total=len(facts),
        completed=counts["completed"],
        failed=counts["failed"],
        in_progress=counts["in_progress"],
        pending=counts["pending"],
        duration_seconds=sum(fact.duration_seconds for fact in facts),
        usage=sum((fact.usage for fact in facts), TokenUsage()),
        cost_usd=sum(fact.cost_usd or 0.0 for fact in facts),
        cost_is_partial=any(fact.cost_usd is None and fact.usage.total > 0 for fact in facts),
    )


def roll_up_cascade(cascade: Cascade, facts: Mapping[str, TaskFacts]) -> CascadeRollup:
    """Sum up a plan by group, branch and as a whole; tasks without facts are pending, or completed if ticked off."""
    known = {
        task.id: facts.get(task.id, TaskFacts("completed" if task.done else "pending"))
        for task in cascade.tasks.values()
    }
    return CascadeRollup(
        project=roll_up(known.values()),
        branches={
            branch: roll_up(known[task] for ids in groups.values() for task in ids)
            for branch, groups in cascade.hierarchy.items()
        },
        groups={
            (branch, group): roll_up(known[task] for task in ids)
            for branch, groups in cascade.hierarchy.items()
            for group, ids in groups.items()
        },
    )
