"""What a running run can be told: its tasks stopped, run again, approved; all of it paused; its limits changed."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nova_async._core.arguments import as_seconds
from nova_async._core.background import Background
from nova_async.cascade import Cascade
from nova_async.errors import JournalError, RequestError
from nova_async.orchestrator import happenings
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.machine import Machine
from nova_async.orchestrator.obeying import check_approve, check_stop, to_run_again
from nova_async.orchestrator.placing import Placed
from nova_async.orchestrator.readiness import Readiness
from nova_async.orchestrator.run_records import RunRecords
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.telling import Telling
from nova_async.words import EventKind, TaskState

__all__ = ["Requests"]


class Requests:
    """The requests that an ``Orchestrator`` takes while it runs.

    Each returns at once, and an event tells when it has come true. Each raises ``RequestError`` where it makes no
    sense: before the run has begun, after its end, or as things stand. They belong to the run's event loop, as the
    whole ``Orchestrator`` does: from another thread, use ``loop.call_soon_threadsafe``.
    """

    cascade: Cascade
    max_workers: int
    _readiness: Readiness
    _state: RunState
    _has_begun: bool
    _over: asyncio.Event
    _stopped: asyncio.Event
    _telling: Telling
    _records: RunRecords
    _machine: Machine
    _work: Background
    _known: dict[str, TaskKnown]
    _placed: dict[str, Placed]
    _happens: Callable[[happenings.Happening], None]

    def __init__(self) -> None:
        self._asked: set[asyncio.Task[None]] = set()  # what is being written down of what was asked

    def stop(self, grace: float | None = None) -> None:
        """Let nothing new begin, and end what runs: gently, or with ``grace=0`` at once. ``run`` then returns."""
        grace = None if grace is None else as_seconds("grace", grace)
        if self._over.is_set():
            return
        if not self._stopped.is_set():
            self._stopped.set()  # first: a listener may call this again
            self._telling.tell(EventKind.STOPPING, None, running=sorted(self._placed))
        if self._has_begun:
            self._happens(happenings.Stop(grace))

    def stop_task(self, task_id: str, grace: float | None = None) -> None:
        """Ask one task to end, gently or with ``grace=0`` at once, or keep it from beginning; the run goes on.

        The task then waits for ``retry`` or for the next run, which resumes its session; so do those that need it. If
        it comes to its end before it hears of this, that end counts.
        """
        self.stop_tasks((task_id,), grace)

    def stop_tasks(self, task_ids: Iterable[str], grace: float | None = None) -> None:
        """Do the same with several tasks, or with none of them if one cannot be stopped."""
        grace = None if grace is None else as_seconds("grace", grace)
        wanted = ids_of(task_ids)
        for task_id in wanted:
            check_stop(self._now, task_id)
        for task_id in wanted:
            if self._state.schedule.state(task_id) is TaskState.IN_PROGRESS:
                self._telling.tell(EventKind.TASK_STOPPING, task_id)
            self._happens(happenings.StopOne(task_id, grace))

    def retry(self, task_ids: Iterable[str], *, downstream: bool = False) -> tuple[str, ...]:
        """Let tasks run again that failed, completed, were stopped or are blocked; return all that run again for it.

        For a blocked task these are the failed ones that it waits for, with ``downstream`` also all that is built on
        the tasks and has come to its end. Those begin anew with all their retries, as after ``nova retry``. What was
        stopped goes on, and what pauses before a retry begins at once.
        """
        again = to_run_again(self._now, ids_of(task_ids), downstream=downstream)
        self._happens(happenings.Again(again))
        return again

    def approve(self, task_ids: Iterable[str]) -> None:
        """Approve tasks with a gate, now or before they come to it; that holds for later runs, too."""
        wanted = ids_of(task_ids)
        for task_id in wanted:
            check_approve(self._now, task_id)
        self._happens(happenings.Approving(wanted))
        self._write_down(self._write_approval(wanted))

    def recorded(self) -> Awaitable[None]:
        """Return what waits until all is in the journal that was asked before: a crash loses it no more.

        That are retries and approvals: nothing else holds for later runs. Awaiting it raises ``JournalError`` where
        that cannot be.
        """
        return all_written(tuple(self._asked))

    async def shown(self) -> None:
        """Wait until the state file says how everything stands now, or cannot be written."""
        await self._records.shown()

    def pause(self) -> None:
        """Let nothing new begin until ``resume``; what runs goes on."""
        if self._changeable.paused:
            raise RequestError("the run is paused already; `nova resume` lets it go on")
        self._telling.tell(EventKind.PAUSED, None, running=sorted(self._placed))
        self._happens(happenings.Pause())

    def resume(self) -> None:
        """Let a paused run go on."""
        if not self._changeable.paused:
            raise RequestError("the run is not paused")
        self._telling.tell(EventKind.RESUMED)
        self._happens(happenings.Resume())

    def set_workers(self, max_workers: int) -> None:
        """Let so many tasks run at once from now on. Fewer end nothing that runs."""
        if isinstance(max_workers, bool) or not isinstance(max_workers, int) or max_workers < 1:
            raise RequestError(f"the number of workers must be a whole number of at least 1, not {max_workers!r}")
        before, state = self.max_workers, self._changeable
        self.max_workers = max_workers
        happening = self._machine.want(max_workers)
        self._telling.tell(EventKind.WORKERS_CHANGED, None, max_workers=max_workers, before=before)
        if happening.max_workers != state.max_workers:
            self._happens(happening)

    def set_budget(self, usd: float | None = None, tokens: int | None = None) -> None:
        """Set what this run may use in all, with what earlier runs of the plan have used; None leaves it as it is.

        Agents that run keep the share that they were told. A budget that is used up already ends the run, as always,
        and one that nothing could ever be counted against is refused, as at the start of a run.
        """
        check_budget(usd, tokens)
        state = self._changeable
        left = [
            task for task in self.cascade.tasks.values() if state.schedule.state(task.id) is not TaskState.COMPLETED
        ]
        if problems := self._readiness.of_budget(usd, tokens, left):
            raise RequestError(problems[0])
        budget = state.budget
        about = {"max_cost_usd": budget.max_cost_usd, "max_tokens": budget.max_tokens}
        after = {"max_cost_usd": about["max_cost_usd"] if usd is None else float(usd),
                 "max_tokens": about["max_tokens"] if tokens is None else tokens}  # fmt: skip
        self._telling.tell(EventKind.BUDGET_CHANGED, None, **after, before=about)
        self._happens(happenings.NewBudget(usd, tokens))
        for task_id, placed in list(self._placed.items()):  # without a budget nobody had counted what they use
            self._happens(happenings.Spent.by(task_id, placed.latest()))

    @property
    def _now(self) -> RunState:
        """Where the run stands, if it can be told anything."""
        if not self._has_begun:
            raise RequestError("the run has not begun yet")
        if self._over.is_set() or self._state.finished:
            raise RequestError("the run is over")
        return self._state

    @property
    def _changeable(self) -> RunState:
        """The same, if something can begin in it yet."""
        if self._now.schedule.is_draining:
            raise RequestError("the run is ending, and nothing new begins")
        return self._now

    def _forget(self, task_ids: Collection[str]) -> None:
        """Have the journal forget what these tasks have come to; then they may begin."""
        for task_id in task_ids:
            self._known[task_id].forget()
        self._write_down(self._write_forgetting(tuple(task_ids)))

    def _write_down(self, writing: Coroutine[Any, Any, None]) -> None:
        task = self._work.begin(writing)  # where it fails, so does the run
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _write_forgetting(self, task_ids: tuple[str, ...]) -> None:
        write = partial(self._records.journal.reset, self._records.plan, task_ids)
        await self._insist_on(write, "what is to run again could not be recorded: it keeps its result")
        self._happens(happenings.Forgotten(task_ids))

    async def _write_approval(self, task_ids: tuple[str, ...]) -> None:
        write = partial(self._records.journal.approve, self._records.plan, task_ids, datetime.now(UTC))
        await self._insist_on(write, "an approval could not be recorded: it is needed again")
        self._happens(happenings.Approved(task_ids))

    async def _insist_on(self, write: Callable[[], Awaitable[None]], lost: str) -> None:
        """Have something written before anything follows from it; raises ``JournalError`` where that cannot be."""
        if not await self._records.insist_on(write, lost, self._stopped, lambda: not self._placed):
            raise JournalError(self._records.warnings[-1])


async def all_written(writing: Collection["asyncio.Task[None]"]) -> None:
    """Wait until these have ended; raises ``JournalError`` for the first that has failed."""
    if writing:
        await asyncio.wait(writing)
    for task in writing:
        if task.cancelled():
            raise JournalError("the run was cut off before that was recorded")
        task.result()


def ids_of(task_ids: Iterable[str]) -> tuple[str, ...]:
    """Return ids, each once; a single text is taken for one id, not for its letters."""
    ids = (task_ids,) if isinstance(task_ids, str) else tuple(dict.fromkeys(task_ids))
    if not ids:
        raise RequestError("no task is named")
    return ids


def check_budget(usd: float | None, tokens: int | None) -> None:
    """Check what somebody wants to be a run's budget."""
    if usd is None and tokens is None:
        raise RequestError("name a budget in US dollars, in tokens, or both")
    if usd is not None and (isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 < usd < math.inf):
        raise RequestError(f"a budget in US dollars must be a number above 0, not {usd!r}")
    if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1):
        raise RequestError(f"a budget in tokens must be a whole number of at least 1, not {tokens!r}")
