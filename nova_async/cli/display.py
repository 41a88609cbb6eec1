"""What shows a run while it goes on, and what it says of each task: the same words in the table, lines and status."""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from nova_async.cli.figures import clock_time, describe_cost, describe_tokens
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import Phase, TaskState

__all__ = ["Display", "cost_of", "doing", "tokens_of"]


class Display(Protocol):
    """Shows a run. The first two methods only take note; ``draw`` may wait for a terminal that does not read."""

    @property
    def wants_views(self) -> bool:
        """Whether ``show`` is of any use before the next ``draw``."""
        ...

    def rest(self) -> float | None:
        """Return after how many seconds it is to be drawn again though nothing has happened; None: never."""

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of how all tasks stand; cheap."""

    def say(self, event: Event) -> None:
        """Take note of what happened; cheap."""

    def draw(self) -> None:
        """Show all that was taken note of; for a thread of its own. Raises ``OSError`` when nobody reads any more."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def doing(task: TaskView, *, is_over: bool = False) -> str:
    """Say what a task does, why it failed, or what it waits for; once the run ``is_over`` it waits for nothing.

    What is missing in its log is said with it, whatever it does.
    """
    missing = f"log error: {task.log_error}" if task.log_error else ""
    return " · ".join(filter(None, (_doing(task, is_over=is_over), missing)))


def _doing(task: TaskView, *, is_over: bool) -> str:
    match task.state:
        case TaskState.IN_PROGRESS:
            return "" if is_over else _at_work(task)
        case TaskState.FAILED:
            return task.error or (task.outcome.value if task.outcome else "")
        case TaskState.COMPLETED:
            return ""
        case TaskState.BLOCKED:
            return task.reason or f"blocked by {', '.join(task.blocked_by) or 'a failure'}"
        case TaskState.RETRYING if task.retry_at is not None and not is_over:
            return f"retrying at {clock_time(task.retry_at)}"
        case _:
            return "" if is_over and task.is_selected else task.reason or ""


def _at_work(task: TaskView) -> str:
    match task.phase:
        case Phase.PREPARE:
            return "starting"
        case Phase.RUN:
            return task.activity or "working"
        case Phase.VERIFY:
            since = f" since {clock_time(task.phase_since)}" if task.phase_since else ""
            return f"checking{since}: {task.activity}" if task.activity else f"checking{since}"
        case Phase.SETTLE:
            return "finishing"
        case _:
            return task.activity or "starting"


def tokens_of(task: TaskView, count: int, *, is_over: bool = False) -> str:
    """Write some of a task's tokens for a table; nothing where none are known.

    While it runs it is plain that more may come; once it does not, what is known to be too little is marked so.
    """
    complete = task.usage_is_final or (task.state is TaskState.IN_PROGRESS and not is_over)
    return describe_tokens(count, complete=complete, short=True) if task.usage.total else ""


def cost_of(task: TaskView) -> str:
    """Write what a task has cost, for a table; nothing before it has used anything."""
    if task.cost_usd is None and not task.usage.total:
        return ""
    return describe_cost(task.cost_usd, complete=task.cost_is_complete)
