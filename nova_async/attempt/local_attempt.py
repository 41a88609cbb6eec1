"""One attempt on this machine: prepare → run → verify → settle, each phase announced when it begins."""

import asyncio
import os
import shlex
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, final

from nova_async._core.cancellation import outlast
from nova_async._core.own_places import LOG_DIR
from nova_async._core.text import one_line
from nova_async._core.threads import DiskThreads
from nova_async.agents import AGENTS, AgentReport
from nova_async.agents.registry import PLAIN
from nova_async.attempt.checkout import Checkout, has_changed_since, look_at_checkout
from nova_async.attempt.ends import about_configuration, bare_end, describe_refusal
from nova_async.attempt.estimating import waits_for_prices, with_estimate
from nova_async.attempt.git import Git
from nova_async.attempt.job import Job
from nova_async.attempt.limit_end import with_end
from nova_async.attempt.outcome import end_that_counts, outcome_of, outcome_of_resuming, sentence_for
from nova_async.attempt.own_environment import OwnEnvironment
from nova_async.attempt.own_folders import OwnFolders
from nova_async.attempt.patience import Patience
from nova_async.records import AttemptEnd, AttemptFacts
from nova_async.redaction import redaction_of
from nova_async.usage import Gauge
from nova_async.words import Outcome, Phase, WorkerEnd
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.limits import Limits
from nova_async.worker.published_prices import PUBLISHED

__all__ = ["LocalAttempt", "run_attempt"]

T = TypeVar("T")

LONGEST_CHECK = 80  # characters of a check's command line; the plan has all of it
LEAVING = "finished, leaving"  # what an agent does between its final result and its exit

VERIFY_SECONDS = 3600.0  # a test suite of an hour is long; a check that hangs must not hold up the run forever

# Separate threads: a git that hangs on a dead disk must not occupy the threads that logs are written in.
GIT_THREADS = DiskThreads("nova-git")


async def run_attempt(
    job: Job, tell: Callable[[AttemptFacts], object] = lambda facts: None, *, log_dir: str | os.PathLike[str] = LOG_DIR
) -> AttemptEnd:
    """Run an attempt on this machine and return how it ended, whatever happens.

    ``tell`` is called with the attempt's facts whenever they change; it must be quick. A cancellation kills the
    attempt with its whole process family, and is raised after that.
    """
    attempt = LocalAttempt(job, Path(log_dir))
    attempt.on_change = lambda: tell(attempt.facts)
    task = asyncio.get_running_loop().create_task(attempt.run())
    if (cancelled := await outlast(task, on_cancel=lambda: attempt.stop(0.0))) is not None:
        raise cancelled
    return task.result()


@final
class LocalAttempt:
    """Runs one job; ``run`` returns how it ended, whatever happens, even after a cancellation.

    ``ours`` are files and folders of the run itself, which do not count as changed by the agent. ``folders`` makes
    those that the attempt has for itself.
    """

    host = ""

    def __init__(self, job: Job, log_dir: Path, ours: Collection[Path] = (), folders: OwnFolders | None = None) -> None:
        self.id = job.id
        self.on_change: Callable[[], object] | None = None
        self._job = job
        self._log_dir = log_dir
        self._ours = ours
        self._redaction = redaction_of(job.redact, os.environ, job.env, job.account_env)
        self._own = OwnEnvironment(job, folders)
        self._git = Git(Path(job.cwd))
        self._worker: AsyncWorker | None = None  # of this phase
        self._finished: AttemptEnd | None = None  # once the agent's phase is over
        self._gauges: tuple[Gauge, ...] = ()  # once the agent's phase is over
        self._phase = Phase.PREPARE
        self._phase_since = self._began_at = datetime.now(UTC)
        self._began = time.monotonic()
        self._grace: float | None = None  # once a stop has been asked for
        self._hopeless: AgentReport | None = None  # what it said when it was ended because of that
        self._patience = Patience(self._give_up)
        self._endings: set[asyncio.Task[None]] = set()
        self._may_start = asyncio.Event()
        self._may_start.set()

    @property
    def facts(self) -> AttemptFacts:
        """What is known about the attempt now."""
        worker, finished = self._worker, self._finished
        report = worker.report if worker is not None else None
        # While the check runs, the numbers are still the agent's; where only the check is left, there are none.
        numbers = report if self._phase is Phase.RUN else finished
        return AttemptFacts(
            phase=self._phase,
            phase_since=self._phase_since,
            pid=worker.pid if worker is not None and worker.is_alive() else None,
            pid_start_time=worker.pid_start_time if worker is not None else None,
            cookie=worker.cookie if worker is not None else None,
            activity=self._activity(report),
            log=finished.log if finished is not None else worker.log_ref if worker is not None else None,
            log_error=worker.log_error if worker is not None else None,
            warning=worker.warning if worker is not None else None,
            is_error=report.is_error if report is not None and self._phase is Phase.RUN and report.is_done else None,
            cost_is_behind=report is not None and self._phase is Phase.RUN and report.cost_is_behind,
            looks_like=report.looks_like if report is not None and self._phase is Phase.RUN else None,
            gauges=report.gauges if report is not None and self._phase is Phase.RUN else self._gauges,
            finished=finished,
            estimated_usd=self._estimate(),
            **({} if numbers is None else {name: getattr(numbers, name) for name in NUMBERS}),
        )

    def _estimate(self) -> float | None:
        """Say what the agent has cost by prices, as long as it does not tell it."""
        if self._finished is not None:
            return self._finished.estimated_usd
        return self._worker.estimated_usd if self._worker is not None and self._phase is Phase.RUN else None

    def _activity(self, report: AgentReport | None) -> str | None:
        """Say what it does now: also that the agent is done and has not gone yet, and which check runs."""
        if self._phase is Phase.VERIFY:
            printed = report.activity if report is not None else None
            check = one_line(self._redaction.text(shlex.join(self._job.verify or ())), LONGEST_CHECK)
            return f"{check}: {printed}" if printed else check
        if report is None:
            return None
        is_done = self._phase is Phase.RUN and report.is_done
        warning = self._worker.warning if self._worker is not None else None
        return LEAVING if is_done else warning or report.activity

    def stop(self, grace: float) -> None:
        """Ask it to end and kill it ``grace`` seconds later, now or as soon as it has started."""
        self._grace = grace if self._grace is None else min(grace, self._grace)
        self._git.cancel()
        self._may_start.set()
        if self._worker is not None:
            self._terminate(self._worker, self._grace)

    def _terminate(self, worker: AsyncWorker, grace: float) -> None:
        ending = asyncio.get_running_loop().create_task(worker.terminate(grace))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _note_change(self) -> None:
        """Tell what is new; end an agent that keeps trying what cannot succeed."""
        worker = self._worker
        if self._hopeless is None and worker is not None:
            report = worker.report
            (self._give_up if report.is_hopeless else self._patience.note)(report)
        self._tell()

    def _give_up(self, report: AgentReport) -> None:
        self._hopeless = report
        if self._worker is not None:
            self._terminate(self._worker, self._job.grace)

    def hold(self) -> None:
        """Start nothing until ``resume``."""
        self._may_start.clear()

    async def suspend(self) -> None:
        """Stop what runs where it stands, and start nothing; its time limits stand still until ``resume``."""
        self.hold()
        if self._worker is not None:
            await self._worker.suspend()

    def resume(self) -> None:
        """Let it go on."""
        self._may_start.set()
        if self._worker is not None:
            self._worker.resume()

    async def run(self) -> AttemptEnd:
        """Go through the phases and return how the attempt ended."""
        before: Checkout | None = None
        end = self._job.finished
        if end is None:
            before = await self._in_thread(self._look_around)
            end = await self._priced(await self._run_agent())
        else:
            await self._in_thread(self._own.prepare)
            # Kept for the next attempt too, should this one be stopped; but it is already paid for
            end = replace(
                end, id=self.id, usage=NOTHING.usage, usage_by_model={}, usage_is_final=True, cost_usd=None,
                estimated_usd=None, duration_seconds=0.0,
            )  # fmt: skip
        self._finished = end
        if end.outcome is Outcome.OK and self._grace:
            self._git = Git(Path(self._job.cwd))  # the stop has cancelled the other; what succeeded is looked at
        if end.outcome is Outcome.OK and self._job.verify:
            end = await self._verify(end, self._job.verify)
        end = await self._settle(end, before)
        while self._endings:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(self._endings)
        await self._own.give_back()
        return end

    def _look_around(self) -> Checkout | None:
        """Make the attempt's own folders, and see what the working folder is like before."""
        self._own.prepare()
        return look_at_checkout(self._git)

    async def _run_agent(self) -> AttemptEnd:
        """Run the job's command and return how that ended."""
        self._enter(Phase.RUN)
        job = self._job
        if self._grace is not None:
            return self._bare(Outcome.CANCELLED, "stopped before it started")
        if self._own.trouble is not None:
            return self._bare(*about_configuration(self._own.trouble))
        try:
            worker = AsyncWorker(
                job.id.task_id, job.name, log_dir=self._log_dir, agent=job.agent, limits=job.limits,
                leftovers=job.leftovers, redact=job.redact, prices=job.prices,
                resumed_from=job.resumed_from, resumes=job.resume,
            )  # fmt: skip
        except ValueError as error:
            return self._bare(*describe_refusal(error, job.command))
        worker.log_path = log_path = self._log_dir / job.log_name
        if (refusal := await self._work(worker, job.command, job.stdin)) is not None:
            return self._bare(*describe_refusal(refusal, job.command, log_path))
        assert worker.end is not None
        report = worker.report
        self._gauges = report.gauges
        meanings = AGENTS[worker.agent].exit_meanings if worker.agent is not None else {}
        told, how, why = report, end_that_counts(worker.end, report, had_finished=worker.had_finished), worker.error
        if self._hopeless is not None and how is WorkerEnd.TERMINATED and self._grace is None:
            told, how, why = replace(self._hopeless, is_error=True), WorkerEnd.EXITED, None
        outcome = outcome_of(how, worker.get_exit_code(), told, meanings)
        if job.resume is not None:
            outcome = outcome_of_resuming(outcome, told)
        limit = told.limit if outcome is Outcome.LIMIT else None
        if limit is not None:
            limit = with_end(limit, job.environment(os.environ), told.gauges)
            told = replace(told, limit=limit)
        return AttemptEnd(
            id=self.id,
            outcome=outcome,
            phase=self._phase,
            ended_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - self._began,
            error=sentence_for(outcome, why, told),
            limit_kind=limit.kind if limit is not None else None,
            limit_resets_at=limit.resets_at if limit is not None else None,
            retry_after=told.retry_after if outcome in (Outcome.OVERLOAD, Outcome.NETWORK) else None,
            exit_code=worker.get_exit_code(),
            leftovers=len(worker.leftovers),
            ended_by_us=worker.end not in (WorkerEnd.EXITED, WorkerEnd.SIGNALED),
            log=worker.log_ref,
            log_error=worker.log_error,
            # For a plain command nothing is known to be missing: what it does not report does not exist.
            usage_is_final=report.usage_is_final or worker.agent == PLAIN.name or outcome is Outcome.SESSION_REFUSED,
            **{name: getattr(report, name) for name in KEPT},
        )

    async def _priced(self, end: AttemptEnd) -> AttemptEnd:
        """Return the agent's end with an estimate of what it has cost, where it did not tell."""
        job, agent = self._job, (self._worker.agent if self._worker is not None else None) or ""
        report = self._worker.report if self._worker is not None else AgentReport()
        is_behind, kept = report.cost_is_behind, report.kept_an_hour
        told = end if not is_behind else replace(end, cost_usd=None)  # an older figure: all of it is estimated
        priced = with_estimate(told, job.prices, agent, job.command, kept)
        if waits_for_prices(priced, job.prices):
            await self._in_thread(PUBLISHED.read)
            priced = with_estimate(told, job.prices, agent, job.command, kept)
        return priced if not is_behind or (priced.estimated_usd or 0.0) > (end.cost_usd or 0.0) else end

    async def _verify(self, end: AttemptEnd, command: tuple[str, ...]) -> AttemptEnd:
        """Run the task's own check as a worker too, with a log of its own beside the agent's."""
        job, name = self._job, f"{self._job.id.task_id}~verify.log"  # no task can have this name
        limits = Limits(timeout=job.limits.timeout or VERIFY_SECONDS)
        worker = AsyncWorker(
            job.id.task_id, f"verify {job.id.task_id}", log_dir=self._log_dir, agent=PLAIN.name, limits=limits,
            redact=job.redact,
        )  # fmt: skip
        worker.log_path = log_path = self._log_dir / name
        self._enter(Phase.VERIFY)
        if self._grace is not None:
            return replace(end, outcome=Outcome.CANCELLED, error="stopped before verify ran")
        if self._own.trouble is not None:  # where only the check is left; it may run an agent too
            outcome, error = about_configuration(self._own.trouble)
            return replace(end, outcome=outcome, error=error)
        if (refusal := await self._work(worker, command, None)) is not None:
            outcome, error = describe_refusal(refusal, command, log_path)
            if outcome not in (Outcome.NO_RESOURCES, Outcome.CANCELLED):
                outcome, error = Outcome.VERIFY, f"verify could not run: {error}"
            return replace(end, outcome=outcome, error=error)
        assert worker.end is not None
        if worker.end is WorkerEnd.TERMINATED:
            return replace(end, outcome=Outcome.CANCELLED, error="stopped during verify")
        if worker.get_exit_code() == 0 and worker.end is WorkerEnd.EXITED:
            return end
        why = worker.error or f"exit code {worker.get_exit_code()}"
        called = one_line(shlex.join(command), LONGEST_CHECK)  # many checks print nothing
        return replace(end, outcome=Outcome.VERIFY, error=f"verify failed: {why} from `{called}`; see {log_path}")

    async def _work(self, worker: AsyncWorker, command: tuple[str, ...], stdin: str | None) -> BaseException | None:
        """Run a worker to its end, or return what kept it from starting."""
        try:
            await self._may_start.wait()
        except asyncio.CancelledError as error:
            self._grace = 0.0
            return error
        if self._grace is not None:
            return asyncio.CancelledError()
        worker.on_change = self._note_change
        self._worker = worker
        try:
            await worker.start(command, cwd=self._job.cwd, env=self._own.variables, stdin=stdin)
        except (Exception, asyncio.CancelledError) as error:
            if worker.log_ref is None:
                return error
            # The cancellation came too late: it has run, and may have printed anything.
        await self._to_the_end(worker)
        return None

    async def _to_the_end(self, worker: AsyncWorker) -> None:
        """Wait until the worker has ended; a cancellation only kills it, which ends the attempt."""
        while worker.end is None:
            try:
                await (worker.wait() if self._grace != 0.0 else worker.terminate(0.0))
            except asyncio.CancelledError:
                self._grace = 0.0
        self._patience.close()

    async def _settle(self, end: AttemptEnd, before: Checkout | None) -> AttemptEnd:
        """Find out what the attempt has changed, and return its end."""
        phase = self._phase
        if before is not None or end.denied:
            self._enter(Phase.SETTLE)
        after = await self._in_thread(look_at_checkout, self._git) if before is not None else None
        files = end.files_changed
        if before is not None and after is not None:
            files = await self._in_thread(after.files_changed_since, before, self._git, self._ours) or ()
        outcome, error = end.outcome, end.error
        should_change = outcome is Outcome.OK and not self._job.verify and not self._job.reads_only
        if should_change and end.denied and not files and not await self._made(after):
            outcome, error = Outcome.DENIED, f"the agent was denied {', '.join(end.denied)} and changed nothing"
        return replace(
            end,
            outcome=outcome,
            error=None if error is None else self._redaction.text(error),
            phase=phase,
            ended_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - self._began,
            files_changed=self._redaction.texts(files),
            commit_sha=after.head if after is not None else end.commit_sha,
        )

    async def _made(self, after: Checkout | None) -> bool:
        """Tell whether anything has changed where git cannot."""
        if after is not None:
            return False
        folder, since = Path(self._job.cwd), self._began_at.timestamp()
        return bool(await self._in_thread(has_changed_since, folder, since, self._ours))

    async def _in_thread(self, look: Callable[..., T], *arguments: Any) -> T | None:
        """Inspect files in a thread; a cancellation is remembered, and ends it without an answer."""
        try:
            return await asyncio.wrap_future(GIT_THREADS.submit(look, *arguments))
        except asyncio.CancelledError:
            self._grace = 0.0
            self._git.cancel()
        except OSError:  # no thread, or a folder that we may not read
            pass
        return None

    def _enter(self, phase: Phase) -> None:
        self._phase, self._phase_since = phase, datetime.now(UTC)
        if phase is not Phase.RUN:
            self._worker = None
        self._tell()

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _bare(self, outcome: Outcome, error: str | None) -> AttemptEnd:
        return bare_end(self.id, outcome, error, phase=self._phase, seconds=time.monotonic() - self._began)


NOTHING = AttemptFacts()
NUMBERS = ("usage", "usage_by_model", "cost_usd", "session_id")
KEPT = (*NUMBERS, "usage_source", "model", "result", "denied")
