"""``nova approve`` without a run: the next one may begin what is approved."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from nova_async.cascade import Cascade
from nova_async.cascade.diagnostics import shown
from nova_async.errors import RequestError
from nova_async.orchestrator.between_runs import tell_state_file
from nova_async.orchestrator.retry_command import book_of

__all__ = ["approve_tasks"]


async def approve_tasks(journal: Path, task_ids: Iterable[str], cascade: Cascade, *, state: Path | None = None) -> None:
    """Approve tasks of a plan for its next runs, until ``--fresh``; the file ``state`` of the latest run tells of it.

    Raises ``RequestError`` for a task that needs no approval or has it already, ``RunLockedError`` while a run works
    with the journal, and ``JournalError`` if it cannot be used.
    """
    wanted = list(task_ids)
    for task_id in wanted:
        if task_id not in cascade.tasks:
            raise RequestError(f"there is no task {shown(task_id)} in {cascade.name}")
        if not cascade.tasks[task_id].options.gate:
            raise RequestError(f"{task_id} needs no approval: it has no gate")
    async with book_of(journal, Path(cascade.name)) as (book, key):
        approved = (await book.history(key)).approved
        for task_id in wanted:
            if task_id in approved:
                raise RequestError(f"{task_id} is approved already")
        await book.approve(key, wanted, datetime.now(UTC))
        if state is not None:
            await tell_state_file(state, journal, key, approved=wanted)
