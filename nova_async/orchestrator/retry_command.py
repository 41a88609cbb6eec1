"""``nova retry``: what has failed may be tried again in the next run."""

from collections.abc import Iterable
from pathlib import Path

from nova_async.errors import JournalError
from nova_async.journal.lock import RunLock
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal

__all__ = ["retry_tasks"]


async def retry_tasks(journal: Path, task_ids: Iterable[str], *, plan: Path | None = None) -> None:
    """Let the attempts of these tasks so far no longer count: the next run begins them anew.

    The tasks are those of ``plan``, or else of the plan that was run last. Raises ``RunLockedError`` while a run works
    with the journal, ``JournalError`` if it cannot be used, and ``KeyError`` naming the first task that it has never
    seen.
    """
    latest = JournalReader(journal).runs(limit=1)
    if not latest:
        raise JournalError(f"{journal} contains no runs; nothing to retry")
    key = latest[0].start.plan if plan is None else plan_key(plan, journal)
    with RunLock(journal):
        book = await Journal.open(journal, trusts=False)
        try:
            known = (await book.history(key)).attempts
            wanted = list(task_ids)
            for task_id in wanted:
                if task_id not in known:
                    raise KeyError(task_id)
            await book.reset(key, wanted)
        finally:
            await book.close()
