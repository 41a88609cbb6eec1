"""What a run writes down: its lock, its journal and its state file, and what earlier runs have left in them."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nova_async.cascade import Cascade
from nova_async.journal.journal import Journal
from nova_async.journal.lock import RunLock
from nova_async.journal.records import Attempt, AttemptEnd, AttemptStart, History, RunStart
from nova_async.journal.state_file import StateFile
from nova_async.orchestrator.task_run import TaskRun, now
from nova_async.orchestrator.views import Event
from nova_async.process.cookie import supervisor_id
from nova_async.process.sweep import Orphans
from nova_async.process.table import TABLE

__all__ = ["RunRecords"]


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
                await self._state_file.close()
                await book.close()

    @property
    def journal(self) -> Journal:
        """The open journal."""
        assert self._book is not None, "the run has not begun"
        return self._book

    async def begin_attempt(self, start: AttemptStart) -> None:
        """Write down that an attempt begins; it is durable on return."""
        await self.journal.begin_attempt(start)

    def note_process(self, start: AttemptStart, pid: int | None) -> Attempt:
        """Write down which process an attempt is."""
        entry = TABLE.look(pid) if pid else None
        start_time = entry.start_time if entry else None
        if pid is not None:
            self.journal.note_process(start.task_id, start.number, pid, start_time or 0.0)
        return Attempt(start=start, pid=pid, pid_start_time=start_time, end=None)

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

        Its lock is free, so it is dead. Whoever carries its cookie is known by that alone. Where leftovers may stay
        they carry it too, and only the guard was told which they are: there its work must do.
        """
        history = await book.history()
        for run in history.unfinished_runs:
            if self._cascade.settings.leftovers == "kill":
                await asyncio.to_thread(Orphans(run.supervisor, 0, TABLE).end, set())
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
