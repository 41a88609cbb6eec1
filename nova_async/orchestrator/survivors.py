"""What a supervisor that died has left: processes, should its guard have died too, and attempts without an end."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from nova_async.attempt.executor import Executor, Lost, Running
from nova_async.journal.store import Journal
from nova_async.orchestrator.placing import answer
from nova_async.orchestrator.remains import remains_of
from nova_async.process.cookie import workers_of
from nova_async.process.signalling import is_still
from nova_async.process.snapshot import LOOKING_THREADS
from nova_async.process.sweep import Orphans
from nova_async.process.table import TABLE, ProcessId
from nova_async.records import Attempt, AttemptEnd, AttemptId, RunStart
from nova_async.words import Leftovers, RunEnd

__all__ = ["end_earlier_families"]


async def end_earlier_families(
    journal: Journal, unfinished: Sequence[RunStart], leftovers: Leftovers, executor: Executor
) -> Mapping[AttemptId, Running]:
    """End what survived earlier runs, and their attempts; return those that an executor still runs elsewhere.

    The lock is ours, so those runs are over. A process with the cookie of a dead supervisor is known by that alone.
    """
    attempts = await journal.open_attempts()
    for run in unfinished:
        # A process that lives (our own, say) has only lost that run, and sees to its workers itself.
        if not is_still(TABLE, ProcessId(run.pid, run.pid_start_time)):
            mine = [attempt for attempt in attempts if attempt.start.id.run_id == run.run_id]
            spared = mine if leftovers is Leftovers.LEAVE else None
            await asyncio.wrap_future(LOOKING_THREADS.submit(end_survivors, run.supervisor, spared))
        await journal.end_run(run.run_id, datetime.now(UTC), RunEnd.LOST)
    running = await reclaim(executor, [attempt.start.id for attempt in attempts])
    lost = [attempt for attempt in attempts if attempt.start.id not in running and attempt.finished is None]
    remains = await asyncio.wrap_future(LOOKING_THREADS.submit(look_for_remains, lost))
    await journal.end_lost(datetime.now(UTC), but_for=running.keys(), remains=remains)
    return running


def look_for_remains(attempts: Sequence[Attempt]) -> Mapping[AttemptId, AttemptEnd]:
    """Return what the logs of these attempts tell of them."""
    found = {attempt.start.id: remains_of(attempt) for attempt in attempts}
    return {id: remains for id, remains in found.items() if remains is not None}  # noqa: A001


async def reclaim(executor: Executor, ids: list[AttemptId]) -> Mapping[AttemptId, Running]:
    """Ask which of these attempts still run; an executor that cannot say has lost them."""
    if not ids:
        return {}
    try:
        found = dict(await answer(executor.reclaim(ids)))
    except Exception:  # a stranger's: its attempts run anew
        return {}
    return {attempt: running for attempt, running in found.items() if attempt in ids and not isinstance(running, Lost)}


def end_survivors(supervisor: str, attempts: list[Attempt] | None) -> None:
    """End everyone who carries a dead supervisor's cookie; with ``attempts``, only the families of those under way.

    Where leftovers may stay they carry it too, and only the guard was told which they are. So there it takes the
    agent itself, which the journal names, to tell that a family is still at work.
    """
    orphans = Orphans(supervisor, 0, TABLE)
    spared: set[str] = set()
    if attempts is not None:
        spared = {worker for entry in orphans.find() for worker in workers_of(TABLE.path_of(entry.pid), supervisor)}
        for attempt in attempts:
            leader = ProcessId(attempt.pid or 0, attempt.pid_start_time or 0.0)
            if is_still(TABLE, leader):
                spared.difference_update(workers_of(TABLE.path_of(leader.pid), supervisor))
    orphans.end(spared)
