"""How a run is, for whoever has only its state file: what the run itself wrote, and whether its supervisor lives."""

from collections.abc import Collection

from nova_async.journal.rollup import status_of, status_word
from nova_async.process.signalling import is_still
from nova_async.process.table import TABLE, ProcessId
from nova_async.views import RunView, TaskView
from nova_async.words import Condition, RunEnd, TaskStatus

__all__ = ["condition_of", "supervisor_lives"]


ENDS = {
    RunEnd.COMPLETED: Condition.COMPLETED,
    RunEnd.FAILED: Condition.FAILED,
    RunEnd.STOPPED: Condition.STOPPED,
    RunEnd.LOST: Condition.DEAD,
}


def supervisor_lives(run: RunView) -> bool | None:
    """Tell whether that very process lives, and not a later one with its number; None if the run names none."""
    if run.pid is None:
        return None
    if run.pid_start_time is None:
        entry = TABLE.look(run.pid)
        return entry is not None and entry.alive
    return is_still(TABLE, ProcessId(run.pid, run.pid_start_time))


def condition_of(run: RunView, tasks: Collection[TaskView]) -> Condition:
    """Say how a run is.

    Its own word counts first: a program that runs plans may live on when they have ended. A file without that word is
    of another version or of another program; there its tasks tell.
    """
    if run.end is not None:
        return ENDS[run.end]
    status = status_of(status_word(task.state) for task in tasks)
    if run.completed_at is None:
        lives = supervisor_lives(run)
        if lives is not None:
            return Condition.RUNNING if lives else Condition.DEAD
        if status is TaskStatus.IN_PROGRESS:
            return Condition.RUNNING
    return {TaskStatus.COMPLETED: Condition.COMPLETED, TaskStatus.FAILED: Condition.FAILED}.get(
        status, Condition.STOPPED
    )
