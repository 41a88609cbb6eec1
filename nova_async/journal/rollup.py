"""Roll-ups: what the states of tasks mean for a group, a branch or the whole project."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from nova_async.usage import Totals
from nova_async.views import TaskView
from nova_async.words import TaskState, TaskStatus

__all__ = ["COLOURS", "Rollup", "roll_up", "status_of", "status_word", "sum_up"]

COLOURS = {
    TaskStatus.FAILED: "#ef4444",
    TaskStatus.IN_PROGRESS: "#f59e0b",
    TaskStatus.COMPLETED: "#10b981",
    TaskStatus.PENDING: "#6b7280",
}
"""The colour of each status: red, yellow, green, gray."""

STATUS = {
    TaskState.IN_PROGRESS: TaskStatus.IN_PROGRESS,
    TaskState.COMPLETED: TaskStatus.COMPLETED,
    TaskState.FAILED: TaskStatus.FAILED,
}


@final
@dataclass(frozen=True, slots=True)
class Rollup:
    """Several tasks seen as one."""

    status: TaskStatus
    total: int
    completed: int
    failed: int
    in_progress: int
    pending: int
    """Includes the blocked ones."""
    blocked: int
    sums: Totals
    """Tokens, cost and seconds of work, and whether they are complete."""

    @property
    def progress(self) -> float:
        """The fraction of tasks that are completed, from 0 to 1."""
        return self.completed / self.total if self.total else 0.0

    @property
    def colour(self) -> str:
        """The status as a CSS colour."""
        return COLOURS[self.status]


def status_word(state: TaskState) -> TaskStatus:
    """Return the state file's word for a task's state; the finer states are all pending."""
    return STATUS.get(state, TaskStatus.PENDING)


def status_of(statuses: Iterable[TaskStatus]) -> TaskStatus:
    """Roll up the statuses of tasks or groups: worst first, and completed only if everything is."""
    seen = set(statuses)
    for status in (TaskStatus.FAILED, TaskStatus.IN_PROGRESS):
        if status in seen:
            return status
    return TaskStatus.COMPLETED if seen == {TaskStatus.COMPLETED} else TaskStatus.PENDING


def sum_up(tasks: Iterable[TaskView]) -> Totals:
    """Add up what tasks have used, cost and taken."""
    sums = Totals()
    for task in tasks:
        sums.add(
            task.usage,
            usage_by_model=task.usage_by_model,
            usage_is_final=task.usage_is_final,
            cost_usd=task.cost_usd,
            estimated_usd=task.estimated_usd,
            cost_is_complete=task.cost_is_complete,
            duration_seconds=task.duration_seconds,
        )
    return sums


def roll_up(tasks: Iterable[TaskView]) -> Rollup:
    """Sum up several tasks as one; an empty set is pending."""
    tasks = list(tasks)
    counts = Counter(status_word(task.state) for task in tasks)
    return Rollup(
        status=status_of(counts),
        total=len(tasks),
        completed=counts[TaskStatus.COMPLETED],
        failed=counts[TaskStatus.FAILED],
        in_progress=counts[TaskStatus.IN_PROGRESS],
        pending=counts[TaskStatus.PENDING],
        blocked=sum(task.state is TaskState.BLOCKED for task in tasks),
        sums=sum_up(tasks),
    )
