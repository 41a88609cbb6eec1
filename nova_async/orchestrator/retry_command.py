"""``nova retry`` without a run: what has come to its end is to run again in the next one."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from nova_async.cascade import Cascade
from nova_async.errors import JournalError
from nova_async.journal.history import History
from nova_async.journal.lock import RunLock
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.orchestrator.between_runs import tell_state_file
from nova_async.orchestrator.resume import built_on, completed_tasks, failed_tasks, needed_by

__all__ = ["Retried", "book_of", "retry_tasks"]


@final
@dataclass(frozen=True, slots=True)
class Retried:
    """What ``retry_tasks`` has done."""

    again: tuple[str, ...]
    """The tasks that the next run begins anew."""
    stay_completed: tuple[str, ...] = ()
    """Completed tasks that are built on these, and keep their results."""


async def retry_tasks(
    journal: Path,
    task_ids: Iterable[str],
    *,
    plan: Path | None = None,
    cascade: Cascade | None = None,
    downstream: bool = False,
    state: Path | None = None,
) -> Retried:
    """Let the attempts of these tasks so far no longer count: the next run begins them anew.

    The tasks are those of ``plan``, or else of the plan that was run last. ``cascade`` is that plan, read: with it, the
    retry of a task that has not run is that of the failed tasks that it waits for, with ``downstream`` all that is
    built on the tasks begins anew, too, and without that it is known what keeps its result. The file ``state`` tells of
    it where it is that of the latest run. Raises ``RunLockedError``
    while a run works with the journal, ``JournalError`` if it cannot be used, and ``KeyError`` naming the first task
    that has never run.
    """
    async with book_of(journal, plan) as (book, key):
        history = await book.history(key)
        again: set[str] = set()
        for task_id in task_ids:
            again |= to_begin_anew(history, cascade, task_id)
        built = built_on(cascade, again) if cascade is not None else set[str]()
        if downstream:
            again |= built & history.attempts.keys()
        await book.reset(key, sorted(again))
        if state is not None:
            await tell_state_file(state, journal, key, again=again)
        stay = (built & completed_tasks(history)) - again
        order = list(history.attempts) if cascade is None else [*cascade.tasks, *(again - cascade.tasks.keys())]
        return Retried(*(tuple(each for each in order if each in found) for found in (again, stay)))


def to_begin_anew(history: History, cascade: Cascade | None, task_id: str) -> set[str]:
    """Return what the retry of a task is: itself, or the failed ones that it waits for.

    Raises ``KeyError`` where that is nothing.
    """
    if task_id in history.attempts:
        return {task_id}
    failed = set[str]()
    if cascade is not None and task_id in cascade.tasks:
        failed = needed_by(cascade, (task_id,)) & set(failed_tasks(history))
    if not failed:
        raise KeyError(task_id)
    return failed


@asynccontextmanager
async def book_of(journal: Path, plan: Path | None) -> AsyncIterator[tuple[Journal, str]]:
    """Open the journal while no run works with it, and tell by which key it knows the plan, or else the latest."""
    latest = JournalReader(journal).runs(limit=1)
    if not latest and plan is None:
        raise JournalError(f"{journal} contains no runs; nothing to retry")
    key = latest[0].start.plan if plan is None else plan_key(plan, journal)
    with RunLock(journal):
        book = await Journal.open(journal, trusts=False)
        try:
            yield book, key
        finally:
            await book.close()
