"""What a run writes down: its lock, its journal and its state file, and what earlier runs have left in them."""

import asyncio
import math
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import final

from nova_async._core.cancellation import complete
from nova_async._core.own_places import STATE_FILE, chosen_by_us
from nova_async._core.threads import in_thread
from nova_async.attempt.executor import Executor, Running
from nova_async.cascade import Cascade
from nova_async.errors import JournalError
from nova_async.journal.history import History
from nova_async.journal.lock import RunLock
from nova_async.journal.plan_key import plan_key
from nova_async.journal.state_file import StateFile
from nova_async.journal.store import Journal
from nova_async.orchestrator.original import save_original, with_original
from nova_async.orchestrator.remains import environment_then, remains_of
from nova_async.orchestrator.resume import check_selection, failed_tasks
from nova_async.orchestrator.retry import FREE
from nova_async.orchestrator.survivors import end_earlier_families
from nova_async.prices import Prices
from nova_async.process.boot import boot
from nova_async.process.cookie import supervisor_id
from nova_async.process.table import TABLE
from nova_async.records import Attempt, AttemptEnd, AttemptFacts, AttemptId, Event, RunStart
from nova_async.usage import TokenUsage
from nova_async.views import MilestoneView, RunView, TaskView
from nova_async.words import Outcome, RunEnd

__all__ = ["Earlier", "RunRecords"]

END_PAUSE = (0.2, 5.0)  # seconds between two tries to write down how an attempt ended, first and longest
STOPPED_PATIENCE = 10.0  # seconds for that once the run is to end
IDLE_PATIENCE = 60.0  # seconds for that while nothing else runs


@final
class Earlier:
    """What earlier runs of the plan have left: their history, and attempts that go on elsewhere."""

    def __init__(self, history: History, running: Mapping[AttemptId, Running]) -> None:
        self.history = history
        self.running = running


def is_settled(history: History) -> bool:
    """Tell whether the beginning of a run changes nothing in it: a long one takes seconds to read again."""
    attempts = chain.from_iterable(history.attempts.values())
    return bool(history.runs) and not history.unfinished_runs and all(attempt.end is not None for attempt in attempts)


@final
class RunRecords:
    """The papers of one run. The journal is the truth; the state file is a view of it for anyone who polls.

    ``root`` is the folder that relative ones start from, ``view`` says how a task looks now, ``of_run`` adds to a run's
    view how it stands, and ``on_trouble`` is told in a sentence what is wrong with a file.
    """

    def __init__(
        self,
        cascade: Cascade,
        journal: Path,
        state_file: Path,
        *,
        max_workers: int,
        trusts_journal: bool,
        root: Path,
        view: Callable[[str], TaskView],
        of_run: Callable[[RunView], RunView],
        on_trouble: Callable[[str], object],
    ) -> None:
        self.run_id = uuid.uuid4().hex[:12]
        self.started_at = datetime.now(UTC)
        self.plan = plan_key(Path(cascade.name), journal)
        self.milestones: dict[str, datetime] = {}
        self.removed: dict[str, Outcome | None] = {}
        self.warnings: list[str] = []
        self.control: str | None = None
        self._has_begun = False
        self.path = journal
        self.journal: Journal
        self._cascade = cascade
        self._state_path = state_file
        self._max_workers = max_workers
        self._trusts_journal = trusts_journal
        self._root = root
        self._view = view
        self._of_run = of_run
        self._on_trouble = on_trouble
        self._state_file: StateFile | None = None
        self._first_started_at: datetime | None = None
        self._completed_at: datetime | None = None
        self._end: RunEnd | None = None

    @asynccontextmanager
    async def opened(
        self,
        executor: Executor,
        *,
        fresh: bool,
        retry_failed: bool,
        only: Collection[str] | None,
        look: Callable[[History], Awaitable[None]],
    ) -> AsyncIterator[Earlier]:
        """Take the lock, end what earlier runs have left, begin a new one, and read what is known.

        With ``only``, all that is done to earlier results is done to those of these tasks. ``look`` gets what is known
        before anything is written, and raises if this run cannot begin. Raises ``RunLockedError``, ``JournalError``
        and ``SelectionError``.
        """

        def known(history: History) -> History:
            if fresh:
                return history
            return with_original(history, self._cascade, self._state_path, plan=self.plan, run_id=self.run_id)

        if not self.path.exists():
            await look(await in_thread(known, History()))  # before there is even a folder of ours
        with RunLock(self.path) as lock:
            self.journal = journal = await Journal.open(
                self.path, lock=lock, trusts=self._trusts_journal, on_trouble=self._on_trouble
            )
            try:
                history = await in_thread(known, await journal.history(self.plan))
                await look(history)
                running = await end_earlier_families(
                    journal,
                    history.unfinished_runs,
                    self._cascade.settings.leftovers,
                    executor,
                    self._remains_of,
                )
                if only is not None:
                    check_selection(self._cascade, history, only, (attempt.task_id for attempt in running))
                await self._begin(history, fresh=fresh, retry_failed=retry_failed, only=only)
                if fresh or retry_failed or not is_settled(history):
                    history = await journal.history(self.plan)
                self._take_over(history)
                self._open_state_file()
                mine = {attempt: found for attempt, found in running.items() if self._is_ours(attempt, history)}
                yield Earlier(history, mine)
            finally:
                await complete(self._close)  # no cancellation may free the lock before the journal is closed

    def _remains_of(self, attempt: Attempt, resumed_from: TokenUsage | None) -> AttemptEnd | None:
        """Return how far a lost attempt had come; what this plan says of accounts is nothing about another plan's."""
        settings, is_ours = self._cascade.settings, attempt.start.plan == self.plan
        environment = environment_then(attempt.start, settings, self._root) if is_ours else os.environ
        return remains_of(attempt, resumed_from, Prices(settings.prices), environment)

    @property
    def is_lost(self) -> bool:
        """Whether another run has taken this one's place: it must not go on."""
        return self.journal.is_lost

    def touch(self, task_ids: Iterable[str]) -> None:
        """Have the state file say how these tasks stand, now or in a moment; without any, how the run stands."""
        if self._state_file is not None:
            self._state_file.touch(task_ids)

    async def shown(self) -> None:
        """Wait until the state file says how everything stands now, or cannot be written."""
        if self._state_file is not None:
            await self._state_file.written()

    def record(self, event: Event) -> Event:
        """Have it written, soon, that something happened, and return it with its number.

        Before the run has begun there is nothing to write in.
        """
        return self.journal.record(event) if self._has_begun else event

    async def note_control(self, address: str | None) -> None:
        """Write down on which socket the run answers."""
        await self.journal.note_control(self.run_id, address)
        self.control = address

    def note_facts(self, attempt: AttemptId, before: AttemptFacts, facts: AttemptFacts) -> None:
        """Have it written, soon, which phase a running attempt is at and which process works for it."""
        if facts.phase is not before.phase:
            self.journal.note_phase(attempt, facts.phase, facts.phase_since or datetime.now(UTC), facts.activity)
        if facts.pid is not None and facts.pid != before.pid:
            self.journal.note_process(attempt, facts.pid, facts.pid_start_time or 0.0, facts.cookie, facts.log)

    async def write_end(
        self, end: AttemptEnd, finished: AttemptEnd | None, stopped: asyncio.Event, is_alone: Callable[[], bool]
    ) -> bool:
        """Write down how an attempt ended, however long the journal takes nothing; tell whether it was written.

        What its agent had come to, where that says more than the end, is written first: it may not be there yet.
        """

        async def write() -> None:
            if finished is not None and end.outcome in FREE:
                await self.journal.finish_agent(finished)
            await self.journal.end_attempt(end)

        lost = f"{end.id.task_id} ended ({end.outcome}) but that could not be recorded: it will run again"
        return await self.insist_on(write, lost, stopped, is_alone)

    async def insist_on(
        self, write: Callable[[], Awaitable[None]], lost: str, stopped: asyncio.Event, is_alone: Callable[[], bool]
    ) -> bool:
        """Have something written, however long the journal takes nothing; tell whether it was.

        It is given up a while after the run is to stop, or after nothing else is under way; ``lost`` says what that
        means.
        """
        loop = asyncio.get_running_loop()
        since, pause = loop.time(), END_PAUSE[0]
        while True:
            try:
                await write()
                return True
            except JournalError as error:
                self._on_trouble(str(error))
                waited = loop.time() - since
                patience = STOPPED_PATIENCE if stopped.is_set() else IDLE_PATIENCE if is_alone() else math.inf
                if self.is_lost or waited > patience:
                    self._on_trouble(f"{error}; {lost}")
                    return False
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopped.wait()
                    await asyncio.sleep(pause)
            pause = min(2 * pause, END_PAUSE[1])

    async def finish_agent(self, finished: AttemptEnd) -> None:
        """Write down what an agent has come to whose check is still to come."""
        try:
            await self.journal.finish_agent(finished)
        except JournalError as error:
            self._on_trouble(str(error))

    async def reach_milestone(self, milestone_id: str, at: datetime) -> None:
        """Write down that a milestone is reached."""
        self.milestones[milestone_id] = at
        try:
            await self.journal.reach_milestone(self.plan, milestone_id, at)
        except JournalError as error:
            self._on_trouble(str(error))

    async def end(self, how: RunEnd) -> None:
        """Write down that the run is over."""
        self._completed_at, self._end = datetime.now(UTC), how
        self.touch(())
        await self.journal.end_run(self.run_id, self._completed_at, how)

    def run_view(self) -> RunView:
        """Return how the run looks at this moment."""
        entry = TABLE.look(os.getpid())
        messages = {milestone.id: milestone.message for milestone in self._cascade.milestones}
        return self._of_run(
            RunView(
                run_id=self.run_id,
                project=self._cascade.project,
                cascade_file=self._cascade.name,
                started_at=self._first_started_at or self.started_at,
                completed_at=self._completed_at,
                end=self._end,
                pid=os.getpid(),
                pid_start_time=entry.start_time if entry else None,
                milestones=tuple(
                    MilestoneView(id=name, message=messages.get(name, ""), reached_at=at)
                    for name, at in self.milestones.items()
                ),
                removed=self.removed,
                warnings=tuple(self.warnings),
                control=self.control,
            )
        )

    def _is_ours(self, attempt: AttemptId, history: History) -> bool:
        """Tell whether an attempt is one of this plan: others with the same journal may have tasks of the same id."""
        known = history.attempts.get(attempt.task_id, ())
        return attempt.task_id in self._cascade.tasks and any(each.start.id == attempt for each in known)

    async def _begin(self, history: History, *, fresh: bool, retry_failed: bool, only: Collection[str] | None) -> None:
        """Write down that this run begins, and which earlier results no longer count."""
        entry = TABLE.look(os.getpid())
        start = RunStart(
            run_id=self.run_id,
            plan=self.plan,
            project=self._cascade.project,
            started_at=self.started_at,
            supervisor=supervisor_id(),
            pid=os.getpid(),
            pid_start_time=entry.start_time if entry else 0.0,
            max_workers=self._max_workers,
            boot=boot(),
        )
        taken_over = [] if history.runs else [found[-1] for found in history.attempts.values()]
        await asyncio.gather(  # in one transaction
            self.journal.begin_run(start, fresh=fresh and only is None, taken_over=taken_over),
            self.journal.note_plan(self.plan, self._cascade.tasks),
        )
        self._has_begun = True
        if said := await in_thread(save_original, self._state_path, len(taken_over)):
            self._on_trouble(said)
        if fresh and only is not None:
            await self.journal.reset(self.plan, only)
            await self.journal.withdraw(self.plan, only)
        if retry_failed:
            failed = failed_tasks(await self.journal.history(self.plan))
            await self.journal.reset(self.plan, [task for task in failed if only is None or task in only])

    def _open_state_file(self) -> None:
        if chosen_by_us(self._state_path, STATE_FILE) and self._state_path.is_symlink():
            led_to = f"a symbolic link to {self._state_path.readlink()}"
            self._on_trouble(f"{self._state_path} was {led_to}; it is replaced by a file (--state FILE follows links)")
        self._state_file = StateFile(
            self._state_path, tasks=self._cascade.tasks, run=self.run_view, view=self._view,
            scratch=self.path.parent, on_trouble=lambda text: text and self._on_trouble(text),
        )  # fmt: skip

    def _take_over(self, history: History) -> None:
        self.milestones = dict(history.milestones)
        self._first_started_at = history.started_at
        for task_id, attempts in history.attempts.items():
            if task_id not in self._cascade.tasks:
                last = attempts[-1].end
                self.removed[task_id] = last.outcome if last else None

    async def _close(self) -> None:
        try:
            if self._state_file is not None:
                await self._state_file.close()
        finally:
            try:
                await self.journal.close()
            except JournalError:
                if not self.is_lost:  # that has been told, and is what ended the run
                    raise
