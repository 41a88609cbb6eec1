"""The orchestrator: starts what is ready, decides what follows from each end, and can be asked, watched and stopped."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, final

from nova_async.cascade import Cascade
from nova_async.journal.records import Attempt, AttemptStart
from nova_async.orchestrator import reporting
from nova_async.orchestrator.attempt import AttemptRunner, ended, sentence_of
from nova_async.orchestrator.commands import CommandMaker, Spent, current_environment, make_job
from nova_async.orchestrator.event_stream import EventStream
from nova_async.orchestrator.executor import Executor, Job, LocalExecutor, Running
from nova_async.orchestrator.jobs import Jobs
from nova_async.orchestrator.records_of_run import RunRecords
from nova_async.orchestrator.reporting import StatePicture, run_report
from nova_async.orchestrator.schedule import Schedule
from nova_async.orchestrator.task_run import TaskRun, now
from nova_async.orchestrator.views import Event, EventKind, RunReport, TaskView

__all__ = ["Orchestrator"]

StrPath = str | os.PathLike[str]


@final
class Orchestrator:
    """Runs a cascade with a few workers at a time, durably: after any crash the next run completes the rest.

    ``command_for`` makes a task's command line, instead of the agent's own or the plan's. ``on_change`` is called with
    a task's id, or None for the run, whenever something about it has changed; it must be quick. Relative paths of
    tasks start from ``root``, the folder of the plan.

    Raises ``ValueError`` for a number of workers below one.
    """

    def __init__(
        self,
        cascade: Cascade,
        *,
        agent: str | None = None,
        command_for: CommandMaker | None = None,
        max_workers: int | None = None,
        log_dir: StrPath = "logs",
        state_file: StrPath = "cascade_state.json",
        journal: StrPath = ".nova/journal.db",
        root: StrPath = ".",
        on_change: Callable[[str | None], object] | None = None,
        executor: Executor | None = None,
        fresh: bool = False,
        retry_failed: bool = False,
    ) -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}")
        self.cascade = cascade if agent is None else cascade.with_defaults(agent=agent)
        self.max_workers = max_workers or cascade.settings.max_workers
        self._command_for = command_for
        self._log_dir = Path(log_dir)
        self._root = Path(root)
        self._on_change = on_change
        self._executor: Executor = executor or LocalExecutor()
        self._records = RunRecords(cascade, Path(journal), Path(state_file), fresh=fresh, retry_failed=retry_failed)
        self._tasks = {task.id: TaskRun(task) for task in self.cascade.tasks.values()}
        self._schedule = Schedule(self.cascade, max_workers=self.max_workers)
        self._picture = StatePicture(self._records, self.cascade, self._tasks, self._view)
        self._events = EventStream()
        self._attempts: dict[str, AttemptRunner] = {}
        self._jobs = Jobs(self._fail)
        self._retries: dict[str, asyncio.TimerHandle] = {}
        self._over = asyncio.Event()
        self._started_clock = 0.0
        self._has_run = self._stopped = False
        self._failure: Exception | None = None

    @property
    def views(self) -> Mapping[str, TaskView]:
        """Every task as it stands at this moment, in file order."""
        return {task_id: self._view(task_id) for task_id in self._tasks}

    def get_status_summary(self) -> dict[str, int]:
        """Return the counts: ``total_tasks completed failed in_progress pending active_workers``."""
        counts = {state: self._schedule.count(state) for state in ("completed", "failed", "in_progress")}
        pending = len(self._tasks) - sum(counts.values())
        return {"total_tasks": len(self._tasks), **counts, "pending": pending, "active_workers": len(self._attempts)}

    def events(self) -> AsyncGenerator[Event, None]:
        """Iterate over what happens from now on, until the run is over."""
        return self._events.follow()

    async def run(self) -> RunReport:
        """Run until nothing is left that could run, and report.

        Cancelling it stops everything gracefully, saves the state, and is delivered at the end; a second cancellation
        kills. Raises ``RunLockedError`` if another run works with the same journal, ``JournalError`` if the journal
        cannot be used, and ``RuntimeError`` at a second call.
        """
        if self._has_run:
            raise RuntimeError("an orchestrator runs once: make a new one")
        self._has_run = True
        self._started_clock = time.monotonic()
        cancelled: asyncio.CancelledError | None = None
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._executor.close)
            stack.callback(self._events.close)  # also for whoever follows a run that cannot begin
            await stack.enter_async_context(self._records.opened(self._tasks))
            self._begin()
            while not self._over.is_set() or self._jobs:
                try:
                    await self._over.wait()
                    await self._jobs.wait()
                except asyncio.CancelledError as error:
                    self.stop(grace=None if cancelled is None else 0.0)
                    cancelled = error
            duration = time.monotonic() - self._started_clock
            report = run_report(self._records, self.cascade, self._tasks, self.views, duration)
            self._tell("run_ended", None, ok=report.ok, **reporting.counts(report))
            how = "completed" if report.ok else "stopped" if self._stopped else "failed"
            await self._records.end_run(how)
        if self._failure is not None:
            raise self._failure
        if cancelled is not None:
            raise cancelled
        return report

    def stop(self, grace: float | None = None) -> None:
        """Let nothing new begin, and end what runs: gently, or with ``grace=0`` at once. ``run`` then returns."""
        if not self._schedule.is_draining:
            self._tell("stopping", None, running=self._schedule.with_state("in_progress"))
        self._stopped = True
        self._drain()
        for attempt in self._attempts.values():
            self._jobs.begin(attempt.stop(grace))
        self._look_whether_it_is_over()

    def _begin(self) -> None:
        completed = [run.task.id for run in self._tasks.values() if run.task.done or "ok" in run.outcomes]
        settings = self.cascade.settings
        failed = [run.task.id for run in self._tasks.values() if run.has_given_up(settings)]
        self._schedule = Schedule(self.cascade, max_workers=self.max_workers, completed=completed, failed=failed)
        self._picture.touch(self._tasks)  # it may have been drawn before the earlier runs were known
        self._tell("run_started", None, run_id=self._records.run_id, project=self.cascade.project,
                   total=len(self._tasks), completed=len(completed), failed=len(failed))  # fmt: skip
        self._look_at_milestones()
        if self._stopped:  # while the journal was opened
            self.stop()
        self._advance()

    def _advance(self) -> None:
        """Start whatever there is a place for."""
        while self._failure is None and (task_id := self._schedule.start_next()) is not None:
            self._jobs.begin(self._run_task(task_id), if_cancelled=partial(self._give_back, task_id))
        self._look_whether_it_is_over()

    def _look_whether_it_is_over(self) -> None:
        if self._schedule.is_over and not self._attempts:
            self._over.set()

    async def _run_task(self, task_id: str) -> None:
        """Run one attempt of a task and decide what follows from its end."""
        run = self._tasks[task_id]
        try:
            attempt = await self._attempt(run)
        except Exception as error:  # without its journal nothing may run
            self._schedule.put_back(task_id)
            self._fail(error)
        else:
            self._decide(run, attempt)
        finally:
            self._attempts.pop(task_id, None)
            run.running = None
        self._changed(task_id)
        self._look_at_milestones()
        self._advance()

    def _give_back(self, task_id: str) -> None:
        """Keep a task whose job was cancelled, as all jobs of a loop are at its end, for the next run."""
        self._schedule.put_back(task_id)
        self._changed(task_id)
        self.stop(grace=0.0)

    def _fail(self, error: Exception) -> None:
        """Let the run end, and raise this then."""
        self._failure = self._failure or error
        self.stop()

    async def _attempt(self, run: TaskRun) -> Attempt:
        task, number = run.task, run.next_number
        log_path = self._log_dir / f"{task.id}.log"
        start = AttemptStart(
            run_id=self._records.run_id, task_id=task.id, number=number, started_at=now(), log_path=str(log_path),
            agent=task.options.agent, prompt_digest=reporting.digest(task),
        )  # fmt: skip
        await self._records.begin_attempt(start)
        run.attempts.append(Attempt(start=start, pid=None, pid_start_time=None, end=None))

        def on_start(worker: Running) -> None:
            run.running = worker
            self._records.note_process(run.attempts, worker)
            self._tell("attempt_started", task.id, attempt=number, pid=worker.pid, program=job.command[0])

        try:
            job = self._make_job(run, number)
        except Exception as error:  # ``command_for`` may raise what it likes
            end = ended(start.started_at, "spawn_error", sentence_of(error))
        else:
            self._attempts[task.id] = runner = AttemptRunner(
                job, self._executor, task.options.verify, on_start, lambda: self._changed(task.id),
                grace=task.options.grace, stopped=self._schedule.is_draining,
            )  # fmt: skip
            end = await runner.run()
        run.attempts[-1] = attempt = await self._records.end_attempt(run.attempts[-1], end)
        run.running = None
        run.counted.append(attempt)
        return attempt

    def _make_job(self, run: TaskRun, number: int) -> Job:
        return make_job(
            self.cascade, run.task, attempt=number, session_id=run.session_id,
            spent=Spent.by(run.counted), log_dir=self._log_dir, root=self._root,
            command_for=self._command_for, environment=current_environment(),
        )  # fmt: skip

    def _decide(self, run: TaskRun, attempt: Attempt) -> None:
        task_id, end = run.task.id, attempt.end
        assert end is not None
        about = reporting.about(attempt.start.number, end)
        self._tell("attempt_ended", task_id, **about)
        if end.outcome == "ok":
            self._schedule.complete(task_id)
            self._picture.touch(self.cascade.dependents(task_id))
            self._tell("task_completed", task_id, **about)
            return
        if end.outcome == "cancelled":
            self._schedule.put_back(task_id)
            return
        delay = run.delay_before_retry(self.cascade.settings)
        if delay is not None and self._schedule.is_draining:
            self._schedule.put_back(task_id)
        elif delay is not None:
            self._schedule.retry_later(task_id)
            run.retry_at = now() + timedelta(seconds=delay)
            self._retries[task_id] = asyncio.get_running_loop().call_later(delay, self._retry, task_id)
            self._tell("task_retrying", task_id, **about, delay_seconds=round(delay, 3))
        else:
            blocked = self._schedule.fail(task_id)
            self._picture.touch(blocked)
            self._tell("task_failed", task_id, **about, blocks=blocked)
            if run.task.options.on_failure == "drain":
                self._drain()
            elif run.task.options.on_failure == "stop":
                self.stop()

    def _retry(self, task_id: str) -> None:
        self._retries.pop(task_id, None)
        self._tasks[task_id].retry_at = None
        self._schedule.retry_now(task_id)
        self._advance()

    def _drain(self) -> None:
        for timer in self._retries.values():
            timer.cancel()
        self._picture.touch(self._retries)
        self._picture.touch(self._retries)
        self._retries.clear()
        self._schedule.drain()

    def _look_at_milestones(self) -> None:
        waiting = [milestone for milestone in self.cascade.milestones if milestone.id not in self._records.milestones]
        completed, failed = self._schedule.completed, self._schedule.failed
        for milestone in waiting:
            if milestone.is_reached(completed=completed, failed=failed, total=len(self._tasks)):
                self._records.reach_milestone(milestone.id, self._jobs.begin)
                self._tell("milestone", None, id=milestone.id, message=milestone.message, hint=milestone.hint)

    def _view(self, task_id: str) -> TaskView:
        run, state = self._tasks[task_id], self._schedule.state(task_id)
        blocked_by = self._schedule.blocked_by(task_id)
        reason = reporting.reason(state, blocked_by, self._schedule.waits_for(task_id), run.retry_at)
        return run.view(state, blocked_by, reason)

    def _tell(self, kind: EventKind, task_id: str | None, **data: Any) -> None:
        event = Event(kind=kind, at=now(), task_id=task_id, data=data)
        self._records.note(event)
        self._events.put(event)
        self._changed(task_id)

    def _changed(self, task_id: str | None) -> None:
        if task_id is not None:
            self._picture.touch([task_id])
        self._records.publish(self._picture.document)
        if self._on_change is not None:
            with suppress(Exception):  # whoever watches must not be able to stop the work
                self._on_change(task_id)
