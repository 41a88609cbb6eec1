"""How long a run will go on: an estimate, from what has been seen of it."""

from collections.abc import Callable, Collection

from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["time_left"]

LEAST = 0.5  # seconds; less would be shown as none
TO_COME = (TaskState.WAITING, TaskState.READY, TaskState.RETRYING, TaskState.IN_PROGRESS)


def time_left(
    views: Collection[TaskView], max_workers: int, remaining_path: Callable[[str], int] | None = None
) -> float | None:
    """Estimate in seconds how long the rest takes, if a task takes as long as the completed ones did on average.

    Both bounds count: all the work shared by the workers, and the longest chain of tasks (``remaining_path`` gives
    the length from a task on). What is blocked will not run. None as long as no task has completed, and when the rest
    has taken longer than was thought: then nobody knows.
    """
    times = [view.duration_seconds for view in views if view.state is TaskState.COMPLETED and view.duration_seconds > 0]
    rest = [view for view in views if view.state in TO_COME]
    if not times or not rest:
        return None
    mean = sum(times) / len(times)
    # What runs longer than that already shows that tasks take longer; it is not done before the present.
    times += [view.duration_seconds for view in rest
              if view.state is TaskState.IN_PROGRESS and view.duration_seconds > mean]  # fmt: skip
    mean = sum(times) / len(times)
    ahead = {
        view.id: max(mean - view.duration_seconds, 0.0) if view.state is TaskState.IN_PROGRESS else mean
        for view in rest
    }
    work = sum(ahead.values()) / min(max_workers, len(rest))
    if remaining_path is None:
        return told(work)
    chain = max(ahead[view.id] + (remaining_path(view.id) - 1) * mean for view in rest)
    return told(max(work, chain))


def told(seconds: float) -> float | None:
    """Return an estimate that is worth telling: "0 s left" is none."""
    return seconds if seconds >= LEAST else None
