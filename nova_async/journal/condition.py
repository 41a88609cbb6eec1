"""The condition of a run as seen from outside: what the run itself wrote, and whether its supervisor is alive."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from nova_async.journal.rollup import status_of, status_word
from nova_async.process.boot import is_over
from nova_async.process.signalling import is_still
from nova_async.process.table import TABLE, ProcessId
from nova_async.views import RunView, TaskView
from nova_async.words import Condition, RunEnd, TaskStatus

if TYPE_CHECKING:
    from nova_async.journal.history import Run  # with SQLite, which a state file does not need

__all__ = ["ENDS", "condition_of", "condition_of_run", "supervisor_lives"]

ENDS = {
    RunEnd.COMPLETED: Condition.COMPLETED,
    RunEnd.FAILED: Condition.FAILED,
    RunEnd.STOPPED: Condition.STOPPED,
    RunEnd.LOST: Condition.DEAD,
}
"""The condition of a run that says itself how it has ended."""


def supervisor_lives(run: RunView) -> bool | None:
    """Tell whether that very process is alive, not a later one with its pid; None if the run names none."""
    if run.pid is None:
        return None
    if run.pid_start_time is None:
        entry = TABLE.look(run.pid)
        return entry is not None and entry.alive
    return is_still(TABLE, ProcessId(run.pid, run.pid_start_time))


def condition_of(run: RunView, tasks: Collection[TaskView]) -> Condition:
    """Return the condition of a run.

    What the run itself wrote counts first: a program that runs plans may keep running after they have ended. A file
    without that was written by another version or another program; then its tasks decide.
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


def condition_of_run(run: "Run") -> Condition:
    """Return the condition of a run, given what the journal has of it."""
    if run.end is not None:
        return ENDS[run.end]
    start = run.start
    lives = not is_over(start.boot) and is_still(TABLE, ProcessId(start.pid, start.pid_start_time))
    return Condition.RUNNING if lives else Condition.DEAD
