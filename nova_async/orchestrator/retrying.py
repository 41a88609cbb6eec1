"""``nova retry``: what has failed may be tried again in the next run."""

from collections.abc import Iterable
from pathlib import Path

from nova_async.journal.journal import Journal
from nova_async.journal.lock import RunLock

__all__ = ["retry_tasks"]


async def retry_tasks(journal: Path, task_ids: Iterable[str]) -> None:
    """Let the attempts of these tasks so far no longer count: the next run begins them anew.

    Raises ``RunLockedError`` while a run works with the journal, ``JournalError`` if it cannot be used, and
    ``KeyError`` naming the first task that the journal has never seen.
    """
    with RunLock(journal.parent / "lock"):
        book = await Journal.open(journal)
        try:
            history = await book.history()
            wanted = list(task_ids)
            for task_id in wanted:
                if task_id not in history.attempts:
                    raise KeyError(task_id)
            await book.reset(wanted)
        finally:
            await book.close()
