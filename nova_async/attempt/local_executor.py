"""``LocalExecutor``: attempts on this machine, as workers of this process."""

import asyncio
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import final

from nova_async._core.own_places import LOG_DIR
from nova_async.attempt.ends import bare_end
from nova_async.attempt.executor import Lost, Running
from nova_async.attempt.job import Job
from nova_async.attempt.local_attempt import LocalAttempt
from nova_async.attempt.own_folders import OwnFolders
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId
from nova_async.words import Outcome

__all__ = ["LocalExecutor"]


@final
class LocalRunning:
    """An attempt and the asyncio task that runs it; once it is over, only its last facts and its end are kept."""

    host = ""

    def __init__(self, attempt: LocalAttempt) -> None:
        self.id = attempt.id
        self.on_change: Callable[[], object] | None = None
        self._attempt: LocalAttempt | None = attempt
        self._facts = AttemptFacts()  # the last, once it is over
        attempt.on_change = self._tell
        self.task = asyncio.get_running_loop().create_task(attempt.run(), name=f"nova attempt {attempt.id.task_id}")
        self.task.add_done_callback(self._note_end)

    @property
    def facts(self) -> AttemptFacts:
        """What is known about it now."""
        return self._facts if self._attempt is None else self._attempt.facts

    def stop(self, grace: float) -> None:
        """Ask it to end, and kill it ``grace`` seconds later."""
        if self._attempt is not None:
            self._attempt.stop(grace)

    async def suspend(self) -> None:
        """Stop it where it stands."""
        if self._attempt is not None:
            await self._attempt.suspend()

    def resume(self) -> None:
        """Let it go on."""
        if self._attempt is not None:
            self._attempt.resume()

    async def ended(self) -> AttemptEnd:
        """Wait for its end; cancelling the wait does not stop the attempt."""
        await asyncio.wait([self.task])
        if self.task.cancelled():  # before its first step, by the end of the whole loop
            return bare_end(self.id, Outcome.CANCELLED, "stopped before it started")
        return self.task.result()

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _note_end(self, _: object) -> None:
        assert self._attempt is not None
        self._facts, self._attempt = self._attempt.facts, None


@final
class LocalExecutor:
    """Runs attempts as workers of this process, with their logs in one folder.

    ``capacity`` is how many it runs at once; unlimited by default. ``ours`` are files and folders of the run itself,
    which do not count as changed by an agent.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] = LOG_DIR, *, capacity: int = sys.maxsize, ours: Collection[Path] = ()
    ) -> None:
        self.capacity = capacity
        self._log_dir = Path(log_dir)
        self._ours = ours
        self._folders = OwnFolders()
        self._stands_still = False
        self._attempts: dict[AttemptId, LocalRunning] = {}  # including those that are over: submitted twice, run once

    def submit(self, job: Job) -> Running:
        """Start an attempt."""
        if job.id not in self._attempts:
            attempt = LocalAttempt(job, self._log_dir, self._ours, self._folders)
            if self._stands_still:
                attempt.hold()
            self._attempts[job.id] = LocalRunning(attempt)
        return self._attempts[job.id]

    async def reclaim(self, ids: Iterable[AttemptId]) -> Mapping[AttemptId, Running | Lost]:
        """Report all of them as lost: an attempt on this machine does not outlive its supervisor."""
        return {attempt: self._attempts.get(attempt) or Lost(attempt) for attempt in ids}

    async def suspend(self) -> None:
        """Stop the processes of all attempts where they stand, and start none, until ``resume``; so do time limits."""
        self._stands_still = True
        await asyncio.gather(*(attempt.suspend() for attempt in self._attempts.values()))

    def resume(self) -> None:
        """Let them go on."""
        self._stands_still = False
        for attempt in self._attempts.values():
            attempt.resume()

    async def close(self) -> None:
        """Kill whatever is still running, and wait until it has ended."""
        while running := [attempt for attempt in self._attempts.values() if not attempt.task.done()]:
            for attempt in running:
                attempt.stop(0.0)
            await asyncio.wait([attempt.task for attempt in running])
        await self._folders.settled()
