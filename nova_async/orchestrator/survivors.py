"""What a supervisor that died has left: processes, should its guard have died too, and attempts without an end."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from nova_async.attempt.executor import Executor, Lost, Running
from nova_async.errors import NotReadyError
from nova_async.journal.store import Journal
from nova_async.orchestrator.placing import answer
from nova_async.orchestrator.sessions import used_in
from nova_async.process.boot import boot, is_over
from nova_async.process.cookie import workers_of
from nova_async.process.kinship import ProcessEntry
from nova_async.process.signalling import is_still
from nova_async.process.snapshot import LOOKING_THREADS
from nova_async.process.sweep import KnownProcess, Orphans
from nova_async.process.table import TABLE, ProcessId
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, RunStart
from nova_async.usage import TokenUsage
from nova_async.words import Leftovers, RunEnd

__all__ = ["end_earlier_families"]


async def end_earlier_families(
    journal: Journal,
    unfinished: Sequence[RunStart],
    leftovers: Leftovers,
    executor: Executor,
    look: Callable[[Attempt, TokenUsage | None], AttemptEnd | None],
) -> Mapping[AttemptId, Running]:
    """End what survived earlier runs, and their attempts; return those that an executor still runs elsewhere.

    The lock is ours, so those runs are over. A process with the cookie of a dead supervisor is known by that alone, an
    agent also by pid and start time, if its run was in this boot of this machine. After a reboot nobody is left.
    ``look`` tells how far a lost attempt had come, given what the session that it resumed had used before; it blocks.

    Raises ``NotReadyError`` if someone cannot be ended: no task may run beside an earlier attempt.
    """
    attempts = await journal.open_attempts()
    for run in unfinished:
        # A process that lives (our own, say) has only lost that run, and sees to its workers itself.
        if not is_over(run.boot) and not is_still(TABLE, ProcessId(run.pid, run.pid_start_time)):
            mine = [attempt for attempt in attempts if attempt.start.id.run_id == run.run_id]
            left = await asyncio.wrap_future(LOOKING_THREADS.submit(end_survivors, run, mine, leftovers))
            if left:
                raise NotReadyError([cannot_be_ended(entry) for entry in left])
        await journal.end_run(run.run_id, datetime.now(UTC), RunEnd.LOST)
    running = await reclaim(executor, [attempt.start.id for attempt in attempts])
    lost = [attempt for attempt in attempts if attempt.start.id not in running and attempt.finished is None]
    before = await used_before(journal, lost)
    remains = await asyncio.wrap_future(LOOKING_THREADS.submit(look_for_remains, lost, before, look))
    await journal.end_lost(datetime.now(UTC), but_for=running.keys(), remains=remains)
    return running


async def used_before(journal: Journal, attempts: Sequence[Attempt]) -> Mapping[AttemptId, TokenUsage | None]:
    """Return what earlier attempts have used in the sessions that these resumed; None for one that resumed none."""
    starts = [attempt.start for attempt in attempts]
    past = {plan: await journal.history(plan) for plan in {start.plan for start in starts if start.resumes is not None}}

    def used(start: AttemptStart) -> TokenUsage | None:
        if start.resumes is None:
            return None
        history, task_id = past[start.plan], start.id.task_id
        return used_in(start.resumes, history.attempts.get(task_id, ()), history.earlier.get(task_id))

    return {start.id: used(start) for start in starts}


def look_for_remains(
    attempts: Sequence[Attempt],
    before: Mapping[AttemptId, TokenUsage | None],
    look: Callable[[Attempt, TokenUsage | None], AttemptEnd | None],
) -> Mapping[AttemptId, AttemptEnd]:
    """Return what the logs of these attempts tell of them; ``before`` is what the sessions they resumed had used."""
    found = {attempt.start.id: look(attempt, before[attempt.start.id]) for attempt in attempts}
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


def end_survivors(run: RunStart, attempts: list[Attempt], leftovers: Leftovers) -> list[ProcessEntry]:
    """End the families of a dead supervisor, and return who is left.

    Where leftovers may stay, only families of attempts under way: leftovers carry the cookie too, and only the guard
    was told which they are. So it takes the agent itself, which the journal names, to tell that it is still at work.
    """
    at_work = [(attempt, leader) for attempt in attempts if (leader := living_leader(run, attempt)) is not None]
    spared: set[str] = set()
    if leftovers is Leftovers.LEAVE:
        bearers = Orphans(run.supervisor, 0, TABLE).find()
        spared = {worker for entry in bearers for worker in workers_of(TABLE.path_of(entry.pid), run.supervisor)}
        for attempt, _ in at_work:
            spared.difference_update(workers_of(attempt.cookie, run.supervisor))
    orphans = Orphans(run.supervisor, 0, TABLE)
    orphans.know(KnownProcess(leader.pid, leader.start_time, leads=True) for _, leader in at_work)
    return orphans.end(spared)


def living_leader(run: RunStart, attempt: Attempt) -> ProcessEntry | None:
    """Return the process of an attempt if it is alive, and surely the one that the journal names.

    The same pid and start time mean the same process only in the same boot of the same machine or container. Other
    machines' attempts have cookies of other supervisors. And every agent leads a session, unlike most strangers. A dead
    leader's session does not count: days may have gone by, and its number may be a stranger's.
    """
    if not run.boot or run.boot != boot() or not workers_of(attempt.cookie, run.supervisor):
        return None
    if not attempt.pid or not attempt.pid_start_time:
        return None
    entry = TABLE.look(attempt.pid)
    if entry is None or not is_still(TABLE, ProcessId(attempt.pid, attempt.pid_start_time)):
        return None
    return entry if entry.session == entry.pid != os.getsid(0) else None


def cannot_be_ended(entry: ProcessEntry) -> str:
    """Say who is in the way, and what to do."""
    return f"{entry.name} (pid {entry.pid}), which an earlier run has started, cannot be ended: end it and run again"
