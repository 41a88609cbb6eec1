"""What a run writes down: its lock, its journal and its state file, and what earlier runs have left in them."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from nova_async.cascade import Cascade
from nova_async.journal.journal import Journal
from nova_async.journal.lock import RunLock
from nova_async.journal.records import Attempt, AttemptEnd, AttemptStart, History, RunStart
from nova_async.journal.state_file import StateFile
from nova_async.orchestrator.executor import Running
from nova_async.orchestrator.task_run import TaskRun, now
from nova_async.orchestrator.views import Event
from nova_async.process.cookie import supervisor_id, workers_of
from nova_async.process.signalling import is_still
from nova_async.process.sweep import Orphans
from nova_async.process.table import TABLE
from nova_async.worker.uninterrupted import finish

__all__ = ["RunRecords"]


class Process(NamedTuple):
    """A process of an earlier run."""

    pid: int
    start_time: float


class RunRecords:
    """The papers of one run. The journal is the truth; the state file is a view of it for anyone who polls."""

    def __init__(self, cascade: Cascade, journal: Path, state_file: Path, *, fresh: bool, retry_failed: bool) -> None:
        self.run_id = uuid.uuid4().hex[:12]
        self.started_at = now()
        self.milestones: dict[str, datetime] = {}
        self.removed: dict[str, Any] = {}
        self._cascade = cascade
        self._path = journal
        self._state_path = state_file
        self._fresh = fresh
        self._retry_failed = retry_failed
        self._book: Journal | None = None
        self._state_file: StateFile | None = None
        self._project_started_at: datetime | None = None
        self._completed_at: datetime | None = None

    @asynccontextmanager
    async def opened(self, tasks: Mapping[str, TaskRun]) -> AsyncIterator[None]:
        """Take the lock, read what earlier runs have left, end whoever survived them, and begin a new one.

        Raises ``RunLockedError`` and ``JournalError``.
        """
        with RunLock(self._path.parent / "lock"):
            self._book = book = await Journal.open(self._path)
            self._state_file = StateFile(self._state_path)
            try:
                await self._end_earlier_runs(book)
                await self._begin(book)
                self._take_over(await book.history(), tasks)
                yield
            finally:
                # In a task of its own: a second cancellation must not free the lock before the journal is closed.
                await finish(asyncio.get_running_loop().create_task(self._close(book)), lambda: None)

    async def _close(self, book: Journal) -> None:
        try:
            if self._state_file is not None:
                await self._state_file.close()
        finally:
            await book.close()

    @property
    def journal(self) -> Journal:
        """The open journal."""
        assert self._book is not None, "the run has not begun"
        return self._book

    async def begin_attempt(self, start: AttemptStart) -> None:
        """Write down that an attempt begins; it is durable on return."""
        await self.journal.begin_attempt(start)

    def note_process(self, attempts: list[Attempt], running: Running) -> None:
        """Write down which process a task's last attempt is, and where the log before its own is by now."""
        start, pid = attempts[-1].start, running.pid
        entry = TABLE.look(pid) if pid else None
        start_time = entry.start_time if entry else None
        if pid is not None:
            self.journal.note_process(start.task_id, start.number, pid, start_time or 0.0)
        attempts[-1] = Attempt(start=start, pid=pid, pid_start_time=start_time, end=None)
        if moved := running.get_status_dict().get("previous_log"):
            self._note_log_moved(attempts, str(Path(start.log_path).with_name(Path(moved).name)))

    def _note_log_moved(self, attempts: list[Attempt], log_path: str) -> None:
        for index in range(len(attempts) - 2, -1, -1):
            start, end = attempts[index].start, attempts[index].end
            if end is not None and end.outcome not in ("spawn_error", "log_error"):  # those have left no log
                attempts[index] = replace(attempts[index], end=replace(end, log_path=log_path))
                self.journal.note_log_moved(start.task_id, start.number, log_path)
                return

    async def end_attempt(self, attempt: Attempt, end: AttemptEnd) -> Attempt:
        """Write down how an attempt ended; it is durable on return."""
        await self.journal.end_attempt(attempt.start.task_id, attempt.start.number, end)
        return replace(attempt, end=end)

    async def end_run(self, how: str) -> None:
        """Write down that the run is over."""
        self._completed_at = now()
        await self.journal.end_run(self.run_id, self._completed_at, how)

    def reach_milestone(self, milestone_id: str, spawn: Callable[[Any], object]) -> None:
        """Write down that a milestone was reached, now."""
        self.milestones[milestone_id] = at = now()
        spawn(self.journal.reach_milestone(milestone_id, at))

    def note(self, event: Event) -> None:
        """Write down an event, some time soon."""
        if self._book is not None:
            self._book.record_event(event.at, event.kind, event.task_id, event.data)

    def publish(self, make: Callable[[], dict[str, Any]]) -> None:
        """Have the state file written anew, now or a moment later."""
        if self._state_file is not None:
            self._state_file.publish(make)

    def project(self, cascade: Cascade) -> dict[str, Any]:
        """Return what the state file says of the project."""
        return {
            "name": cascade.project,
            "cascade_file": cascade.name,
            "started_at": self._project_started_at,
            "completed_at": self._completed_at,
        }

    def nova(self) -> dict[str, Any]:
        """Return what the state file says beyond the documented names."""
        entry = TABLE.look(os.getpid())
        messages = {milestone.id: milestone.message for milestone in self._cascade.milestones}
        return {
            "run_id": self.run_id,
            "supervisor": {"pid": os.getpid(), "start_time": entry.start_time if entry else None},
            "milestones": {
                name: {"message": messages.get(name, ""), "reached_at": at} for name, at in self.milestones.items()
            },
            "removed": self.removed,
        }

    async def _end_earlier_runs(self, book: Journal) -> None:
        """End what a dead supervisor has left: its processes, should its guard have died too, and its open attempts.

        Its lock is free, so that run is over. Whoever carries its cookie is known by that alone.
        """
        history = await book.history()
        for run in history.unfinished_runs:
            # A process that lives (our own, say) has only lost that run, and sees to its workers itself.
            is_dead = not is_still(TABLE, Process(run.pid, run.pid_start_time))
            if is_dead:
                spared = self._cascade.settings.leftovers == "leave"
                mine = [last for (*_, last) in history.attempts.values() if last.start.run_id == run.run_id]
                await asyncio.to_thread(end_survivors, run.supervisor, mine if spared else None)
            await book.end_run(run.run_id, now(), "lost")
        await book.end_lost(now())

    async def _begin(self, book: Journal) -> None:
        entry = TABLE.look(os.getpid())
        start = RunStart(
            run_id=self.run_id,
            cascade_file=self._cascade.name,
            project=self._cascade.project,
            started_at=self.started_at,
            supervisor=supervisor_id(),
            pid=os.getpid(),
            pid_start_time=entry.start_time if entry else 0.0,
        )
        await book.begin_run(start, fresh=self._fresh)
        if self._retry_failed:
            await book.reset(
                [
                    task_id
                    for task_id, attempts in (await book.history()).counted.items()
                    if not any(attempt.end and attempt.end.outcome == "ok" for attempt in attempts)
                ]
            )

    def _take_over(self, history: History, tasks: Mapping[str, TaskRun]) -> None:
        """Hand each task its earlier attempts."""
        self.milestones = dict(history.milestones)
        starts = [run.started_at for run in history.runs]
        self._project_started_at = self.started_at if self._fresh else min(starts, default=self.started_at)
        for task_id, attempts in history.attempts.items():
            if task_id in tasks:
                tasks[task_id].attempts[:] = attempts
                tasks[task_id].counted[:] = history.counted.get(task_id, ())
            else:
                last = attempts[-1].end
                self.removed[task_id] = {"attempts": len(attempts), "outcome": last.outcome if last else None}


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
            leader = Process(attempt.pid or 0, attempt.pid_start_time or 0.0)
            if attempt.end is None and is_still(TABLE, leader):
                spared.difference_update(workers_of(TABLE.path_of(leader.pid), supervisor))
    orphans.end(spared)
