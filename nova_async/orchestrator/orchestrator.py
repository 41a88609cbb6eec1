"""The orchestrator: tells ``decide`` what happens, does what follows, and can be asked, watched and stopped."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import final

from nova_async._core.background import Background
from nova_async._core.cancellation import insist, told_once
from nova_async._core.own_places import JOURNAL, LOG_DIR, STATE_FILE
from nova_async._core.threads import in_thread
from nova_async.attempt.ends import bare_end
from nova_async.attempt.executor import Executor, Running
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.cascade import Cascade
from nova_async.cascade.agent_order import choices_of
from nova_async.errors import JournalError
from nova_async.journal.history import History
from nova_async.orchestrator import actions, happenings, reporting
from nova_async.orchestrator.arguments import check_arguments, check_only
from nova_async.orchestrator.budget import ended_by_the_run
from nova_async.orchestrator.commands import CommandMaker
from nova_async.orchestrator.decide import decide
from nova_async.orchestrator.holding import Account
from nova_async.orchestrator.in_turn import InTurn
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.machine import Machine
from nova_async.orchestrator.noticing import noticed
from nova_async.orchestrator.picture import Picture
from nova_async.orchestrator.placing import Placed, close_executor
from nova_async.orchestrator.preparing import Attempts, Prepared
from nova_async.orchestrator.readiness import Readiness
from nova_async.orchestrator.requests import Requests
from nova_async.orchestrator.resume import resumed_state, take_over
from nova_async.orchestrator.run_records import Earlier, RunRecords
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.secrets import Secrets, with_redact
from nova_async.orchestrator.shared_limits import SharedLimits
from nova_async.orchestrator.telling import Telling
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId, Event
from nova_async.views import RunReport, RunView, TaskView
from nova_async.words import EventKind, Outcome, Phase, RunEnd

__all__ = ["Orchestrator"]

StrPath = str | os.PathLike[str]


@final
class Orchestrator(Requests):
    """Runs a cascade with a few workers at a time, durably: after any crash the next run completes the rest.

    ``agent`` overrides the plan's agents: one, or several in their order, each with or without ``@account``.
    ``command_for`` makes a task's command line, instead of the agent's own or the plan's. ``on_change`` is called with
    a task's id, or None for the run, whenever something about it has changed; it must be quick. Relative paths of tasks
    start from ``root``. ``fresh`` ignores what earlier runs have completed, ``retry_failed`` tries again what failed in
    them. ``only`` are the ids of the tasks that are to run, such as ``cascade.select`` returns: nothing is begun,
    forgotten or tried again of any other. ``trust_journal`` accepts a journal that another user or another machine has
    written. ``redact`` adds names of variables, and patterns, to those of the plan. While nothing is left but tasks
    that need approval (``gate``), the run waits for it, or with ``waits_for_approval=False`` ends.

    Raises ``ValueError`` for a number of workers below one, an agent that nobody knows and an id that is none, and
    ``TypeError`` for what is something else altogether, such as a path in place of a cascade.
    """

    def __init__(
        self,
        cascade: Cascade,
        *,
        agent: str | Sequence[str] | None = None,
        command_for: CommandMaker | None = None,
        max_workers: int | None = None,
        log_dir: StrPath = LOG_DIR,
        state_file: StrPath = STATE_FILE,
        journal: StrPath = JOURNAL,
        root: StrPath = ".",
        on_change: Callable[[str | None], object] | None = None,
        executor: Executor | None = None,
        fresh: bool = False,
        retry_failed: bool = False,
        only: Collection[str] | None = None,
        trust_journal: bool = False,
        redact: Collection[str] = (),
        waits_for_approval: bool = True,
    ) -> None:
        super().__init__()
        check_arguments(cascade, agent, max_workers, {"command_for": command_for, "on_change": on_change}, executor)
        self.cascade = with_redact(cascade if agent is None else cascade.with_options(agent=agent), redact)
        self.max_workers = max_workers or cascade.settings.max_workers
        self._only = check_only(cascade, only)
        self._log_dir, self.journal = Path(log_dir), Path(journal)
        self._fresh, self._retry_failed, self._waits_for_approval = fresh, retry_failed, waits_for_approval
        ours = [Path(path).absolute() for path in (log_dir, state_file, Path(journal).parent)]
        self.executor: Executor = executor or LocalExecutor(log_dir, ours=ours)
        self._machine = Machine(self.executor, self.max_workers)
        self._readiness = Readiness(
            self.cascade, root=Path(root), runs_here=isinstance(self.executor, LocalExecutor),
            knows_commands=command_for is None, logs=Path(log_dir), files=(Path(state_file), Path(journal)),
        )  # fmt: skip
        self._secrets = Secrets(self.cascade)
        self._shown = self._secrets.shown(self.cascade)
        self._known = {task.id: TaskKnown(task) for task in self._shown.tasks.values()}
        self._attempts = Attempts(
            cascade=self.cascade, known=self._known, root=Path(root),
            agent=None if agent is None else choices_of(agent)[0].agent, command_for=command_for, secrets=self._secrets,
        )  # fmt: skip
        self._over, self._stopped = asyncio.Event(), asyncio.Event()
        self._picture = Picture(self._known, lambda: self._state, self._over.is_set)
        self._records = RunRecords(
            self._shown, Path(journal), Path(state_file), max_workers=self.max_workers, trusts_journal=trust_journal,
            root=Path(root), view=self._picture.view, of_run=self._picture.of_run, on_trouble=self._note_trouble,
        )  # fmt: skip
        self._state = RunState.of(self.cascade, max_workers=self.max_workers, only=self._only)  # to begin with
        self._telling = Telling(self._records, self._picture, self._known, self._secrets, on_change)
        self.listen, self.note_control, self.warn = self._telling.listen, self._telling.note_control, self._telling.warn
        self._limits = SharedLimits(self._telling.warn)
        self._placed: dict[str, Placed] = {}
        self._ending = 0  # attempts that are over, and not yet written down so
        self._work = Background(self._fail)
        self._timer: asyncio.TimerHandle | None = None
        self._has_begun = self._has_run = self._has_closed = False
        # Changes are told once nothing waits: what began and was held back in one go, nobody has seen begin.
        self._happens = InTurn(self._follow, settled=self._tell_changes).put
        self._notes: tuple[str, ...] = ()
        self._failure: Exception | None = None
        self._cancelled: asyncio.CancelledError | None = None

    @property
    def views(self) -> Mapping[str, TaskView]:
        """Every task as it stands at this moment, in file order."""
        return self._picture.views(self._placed)

    @property
    def run_view(self) -> RunView:
        """The run as it stands at this moment, but for its tasks."""
        return self._records.run_view()

    def get_status_summary(self) -> dict[str, int]:
        """Return the counts: ``total_tasks completed failed in_progress pending active_workers``."""
        return {**self._picture.counts(), "active_workers": len(self._placed)}

    def events(self) -> AsyncGenerator[Event, None]:
        """Iterate over what happens from now on, until the run is over."""
        return self._telling.events.follow()

    def add_variables(self, variables_of: Callable[[AttemptId], Mapping[str, str]]) -> None:
        """Have the programs of each attempt see more variables; to be called before the run."""
        self._attempts.variables_of = variables_of

    async def run(self) -> RunReport:
        """Run until nothing is left that could run, and report.

        Cancelling it stops everything gracefully, saves the state, and is delivered at the end; a second cancellation
        kills. Raises ``NotReadyError`` with all that is missing before anything is started, ``RunLockedError`` if
        another run works with the same journal, ``JournalError`` if the journal cannot be used, ``SelectionError`` if a
        task of ``only`` needs one that is not among them and has not completed, and ``RuntimeError`` at a second call.
        """
        if self._has_run:
            raise RuntimeError("an orchestrator runs once: create a new one")
        self._has_run = True
        started = time.monotonic()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close_executor)
            stack.callback(self._telling.events.close)  # also for those who follow a run that cannot begin
            opened = self._records.opened(
                self.executor,
                fresh=self._fresh,
                retry_failed=self._retry_failed,
                only=self._only,
                look=self._look_around,
            )
            self._begin(await stack.enter_async_context(opened))
            while not self._over.is_set() or self._work:
                await insist(self._over.wait, self._cancel)
                await insist(self._work.wait, self._cancel)
            if self._timer is not None:
                self._timer.cancel()
            await self._close_executor()  # while the journal is still ours: nobody else may begin what still runs
            report = await self._end_run(time.monotonic() - started)
        if self._failure is not None:
            raise self._failure
        if self._cancelled is not None:
            raise self._cancelled
        return report

    def _cancel(self, cancelled: asyncio.CancelledError) -> None:
        """Stop for a cancellation of ``run``, which is delivered at its end; the second one kills."""
        self.stop(grace=None if self._cancelled is None else 0.0)
        self._cancelled = cancelled

    # Beginning and ending the run.

    async def _look_around(self, history: History) -> None:
        look = partial(self._readiness.require, history, self._only, self._fresh, self._retry_failed)
        self._notes = await in_thread(look)

    def _begin(self, earlier: Earlier) -> None:
        self._known.update(take_over(self._shown, earlier.history))
        self._state = resumed_state(
            self.cascade, self._known, max_workers=self.max_workers, reached=self._records.milestones,
            running={attempt.task_id for attempt in earlier.running}, only=self._only,
            capped=self._attempts.told_their_caps(), approved=earlier.history.approved,
            waits_for_approval=self._waits_for_approval,
        )  # fmt: skip
        self._has_begun = True
        self._telling.begin(self._shown, self._state.schedule, self._only, self._notes)
        for attempt, found in earlier.running.items():
            placed = self._place(attempt)
            self._work.begin(self._adopt(placed, found), if_cut_off=partial(self._give_back, attempt.task_id))
        if self._stopped.is_set():  # while the journal was opened
            self._happens(happenings.Stop())
        self._happens(happenings.Begun())

    async def _end_run(self, seconds: float) -> RunReport:
        ok = reporting.all_completed(self.views)
        # A stop that the plan wants after a failure is that failure.
        stopped = self._stopped.is_set() or self._state.has_halted
        how = RunEnd.COMPLETED if ok else RunEnd.STOPPED if stopped else RunEnd.FAILED
        try:
            await insist(partial(self._records.end, how), self._cancel)
        except JournalError as error:
            self._failure = self._failure or error
        await insist(self._limits.settle, self._cancel)
        left = self._state.schedule.not_completed()
        self._picture.touch(left)  # nothing waits any more
        held = self._state.holds_now(), self._state.budgets_now()
        report = reporting.run_report(self.run_view, self.views, self._records.started_at, seconds, *held)
        self._telling.tell(EventKind.RUN_ENDED, None, ok=report.ok, **reporting.numbers(report))
        self._records.touch(left)
        return report

    async def _close_executor(self) -> None:
        """Let the executor go, once."""
        if self._has_closed:
            return
        self._has_closed = True
        try:
            with nullcontext() if self._cancelled is None else told_once():
                trouble = await close_executor(self.executor)
            if trouble is not None:
                self._telling.warn(trouble)
        except asyncio.CancelledError as error:
            self._cancel(error)

    # What happens, and what follows.

    def _follow(self, event: happenings.Happening) -> None:
        """Tell ``decide`` what has happened, and do what follows."""
        now = asyncio.get_running_loop().time()
        happened = (*self._machine.news(self._state, event, now), event)
        for action in [action for each in happened for action in decide(self._state, each, now)]:
            self._perform(action)

    def _tell_changes(self) -> None:
        changed, self._state.schedule.changed = self._state.schedule.changed, set()
        for task_id in changed:
            self._telling.changed(task_id)

    def _perform(self, action: actions.Action) -> None:
        self._telling.follow(action)
        self._limits.follow(action)
        match action:
            case actions.Begin(task_id, share_usd):
                self._begin_attempt(task_id, share_usd)
            case actions.StopTask(task_id, grace, why):
                if (waiting := self._placed.get(task_id)) is not None:
                    waiting.stop(grace, why)
            case actions.WakeAt(moment):
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = asyncio.get_running_loop().call_at(moment, self._happens, happenings.Woken())
            case actions.Reached(milestone):
                self._work.begin(self._records.reach_milestone(milestone.id, datetime.now(UTC)))
            case actions.Forget(task_ids):
                self._forget(task_ids)
            case actions.GiveUp():
                self._failure = self._failure or JournalError(f"no task can start: cannot write {self._records.path}")
            case actions.Finish():
                self._over.set()

    def _give_back(self, task_id: str) -> None:
        """Keep a task for the next run whose work was cut off: by the end of the loop, or by a mistake of ours."""
        self._placed.pop(task_id, None)
        self.stop(grace=None if self._failure is not None else 0.0)
        self._happens(happenings.Ended(task_id, Outcome.CANCELLED))

    def _fail(self, error: Exception) -> None:
        """Let the run end, and raise this then."""
        self._failure = self._failure or error
        self.stop()

    # One attempt.

    def _begin_attempt(self, task_id: str, share_usd: float | None) -> None:
        """Have an attempt begin, unless what it would run on is on hold."""
        attempt = AttemptId(self._records.run_id, task_id, self._known[task_id].take_number())
        prepared, held = self._attempts.choose(self._state, attempt, share_usd, {})
        if held is not None:
            self._keep(attempt, held)
        else:  # placed at once: a stop may come before its first step
            work = self._run_attempt(self._place(attempt), prepared)
            self._work.begin(work, if_cut_off=partial(self._give_back, task_id))

    def _keep(self, attempt: AttemptId, held: Account) -> None:
        self._placed.pop(attempt.task_id, None)
        self._known[attempt.task_id].give_number_back()
        self._happens(happenings.Kept(attempt.task_id, held))

    async def _run_attempt(self, placed: Placed, chosen: Prepared) -> None:
        """Write down that an attempt begins, have it run, and write down how it ended."""
        attempt, task_id = placed.id, placed.id.task_id
        prepared, held = await self._attempts.confirmed(self._state, chosen, attempt, self._limits.ask, self._happens)
        if held is not None:
            self._keep(attempt, held)
            return
        start = prepared.start(attempt, self._records.plan, self._log_dir)
        try:
            await self._records.journal.begin_attempt(start)
        except JournalError as error:
            self._placed.pop(task_id, None)
            self._note_trouble(str(error))
            self._happens(happenings.Refused(task_id))
            return
        self._known[task_id].begin(placed, start)
        self._happens(happenings.Written(task_id, prepared.account))
        if prepared.job is None:
            end = bare_end(attempt, Outcome.SPAWN_ERROR, prepared.refusal)
        else:
            end = await placed.run(self.executor, prepared.job)
        await self._end_attempt(placed, end, prepared)

    async def _adopt(self, placed: Placed, running: Running) -> None:
        """See an attempt of an earlier run through, which its executor has gone on with."""
        self._known[placed.id.task_id].begin(placed)
        await self._end_attempt(placed, await placed.follow(running))

    def _place(self, attempt: AttemptId) -> Placed:
        placed = self._placed[attempt.task_id] = Placed(
            attempt, on_facts=partial(self._note_facts, attempt.task_id), on_cancel=partial(self.stop, 0.0)
        )
        return placed

    async def _end_attempt(self, placed: Placed, end: AttemptEnd, prepared: Prepared | None = None) -> None:
        """Write down how an attempt ended; only then may anything depend on it."""
        task_id = placed.id.task_id
        known, told = self._known[task_id], self._secrets.of_end(end)
        end = ended_by_the_run(told, prepared and prepared.share_usd, placed.why_stopped, known.task.options.on_budget)
        self._ending += 1
        try:
            finished, is_alone = known.attempts[-1].finished, lambda: self._ending >= len(self._placed)
            write = partial(self._records.write_end, end, finished, self._stopped, is_alone)
            written = await insist(write, lambda _: self.stop(grace=0.0))
        finally:
            self._ending -= 1
        if not written:
            self._fail(JournalError(self._records.warnings[-1]))
        self._placed.pop(task_id, None)
        known.end(end)
        self._telling.tell(EventKind.ATTEMPT_ENDED, task_id, **reporting.about(end))
        at_share = end is not told and placed.why_stopped is None
        ended = happenings.Ended.by(end, written, at_share, known.left_to_check() is not None)
        if written and prepared is not None:
            missing = self._readiness.of_program(prepared.job) if end.outcome is Outcome.SPAWN_ERROR else None
            ended = self._attempts.with_hold(ended, prepared, end, missing)
        self._happens(ended)

    def _note_facts(self, task_id: str, before: AttemptFacts, facts: AttemptFacts) -> None:
        """Write down and tell what is new about a running attempt."""
        if (placed := self._placed.get(task_id)) is None:
            return  # its end is known
        number = placed.id.number
        self._records.note_facts(placed.id, before, facts)
        if facts.phase is not before.phase and facts.phase in (Phase.VERIFY, Phase.SETTLE):
            self._telling.tell(EventKind.PHASE_STARTED, task_id, **reporting.about_phase(number, facts))
        if facts.pid is not None and facts.pid != before.pid and facts.phase is Phase.RUN:
            if number > 1:
                self._work.begin(self._known[task_id].find_logs(partial(self._telling.changed, task_id)))
            about = {"attempt": number, "pid": facts.pid, "program": placed.program}
            self._telling.tell(EventKind.ATTEMPT_STARTED, task_id, **about, **self._known[task_id].told_start())
            self._happens(happenings.StartedWell(task_id))
        if facts.finished is not None and before.finished is None:
            self._known[task_id].note_finished(facts.finished)
            if not placed.is_over:  # else its end is written next, and tells the same
                self._work.begin(self._records.finish_agent(facts.finished))
        for warning in reporting.warnings_in(task_id, placed.command, before, facts):
            self._telling.warn(warning)
        for news in noticed(self._state, task_id, facts):
            self._happens(news)
        self._telling.changed(task_id)

    def _note_trouble(self, text: str) -> None:
        """Tell what is wrong with a file of the run; where another run has taken its place, end this one at once."""
        self._telling.warn(text)
        if self._has_begun and self._records.is_lost:
            self._fail(JournalError(text))
