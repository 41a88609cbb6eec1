"""The state file of a run that is over, after something was settled for the next one: it is told there, too."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from nova_async._core.advice import run_command
from nova_async.errors import NovaError
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.journal.state_file import StateFile
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["tell_state_file"]


async def tell_state_file(
    state: Path, journal: Path, plan: str, *, again: Collection[str] = (), approved: Collection[str] = ()
) -> None:
    """Say in the state file which tasks the next run begins anew, and which it may begin, for they are approved.

    Nothing is written if the file is not that of the journal's latest run, or that was a run of another plan. The
    journal must be locked: a run would write the same file.
    """
    try:
        latest = next(iter(JournalReader(journal).runs(limit=1)), None)
        run, tasks = read_state(state)
    except NovaError:
        return  # nobody is told anything wrong by a file that is not there
    if latest is None or (latest.start.run_id, latest.start.plan) != (run.run_id, plan):
        return
    why = f"waits for the next `{run_command(run.cascade_file)}`"
    changed = {**begun_anew(tasks, again, why), **let_through(tasks, approved, why)}
    file = StateFile(
        state, tasks=tasks, view={**tasks, **changed}.__getitem__, run=lambda: run, scratch=journal.parent
    )  # fmt: skip
    file.touch()
    await file.close()


def begun_anew(tasks: Mapping[str, TaskView], again: Collection[str], why: str) -> dict[str, TaskView]:
    """Return how these tasks stand now, and those that they blocked."""
    changed = {}
    for task in tasks.values():
        if task.id in again:
            changed[task.id] = replace(
                task, state=TaskState.WAITING, reason=why, attempt=0, error=None, completed_at=None, blocked_by=(),
                is_stopped=False, attempts=tuple(replace(attempt, counts=False) for attempt in task.attempts),
            )  # fmt: skip
        elif task.state is TaskState.BLOCKED and not {*task.blocked_by}.isdisjoint(again):
            left = tuple(other for other in task.blocked_by if other not in again)
            state = TaskState.BLOCKED if left else TaskState.WAITING
            changed[task.id] = replace(task, state=state, blocked_by=left, reason=None)
    return changed


def let_through(tasks: Mapping[str, TaskView], approved: Collection[str], why: str) -> dict[str, TaskView]:
    """Return how these tasks stand now that they are approved, those that had waited for it."""
    return {
        task.id: replace(task, needs_approval=False, reason=why)
        for task in tasks.values() if task.id in approved and task.needs_approval
    }  # fmt: skip
