"""Run a cascade by an executor of your own: here one that starts each task's command with a prefix, such as `nice`.

What it must do is in `nova_async.Executor`; order, retries, budgets and the journal stay with the orchestrator.

    uv run python docs/examples/own_executor.py
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from nova_async import (
    AttemptEnd,
    AttemptFacts,
    AttemptId,
    Cascade,
    Job,
    Lost,
    Orchestrator,
    Outcome,
    Phase,
    Running,
    Task,
)  # fmt: skip


class PrefixedAttempt:
    """One attempt: a process, and the task that waits for it."""

    host = "nice place"

    def __init__(self, job: Job, prefix: tuple[str, ...]) -> None:
        self.id, self.facts = job.id, AttemptFacts()
        self.on_change: Callable[[], object] | None = None
        self._began = time.monotonic()
        self._stopped = asyncio.Event()
        self._task = asyncio.create_task(self._run([*prefix, *job.command], job))

    def stop(self, grace: float) -> None:
        """Kill it. A kinder executor would ask first, and wait for ``grace`` seconds."""
        # An event, for a cancellation could come while the process is being started, or while its end is awaited:
        # then nobody would wait for it.
        self._stopped.set()

    async def ended(self) -> AttemptEnd:
        """Wait for its end, any number of times."""
        await asyncio.wait([self._task])
        return AttemptEnd(
            id=self.id, outcome=self._task.result(), phase=Phase.RUN, ended_at=datetime.now(UTC),
            duration_seconds=time.monotonic() - self._began,
        )  # fmt: skip

    async def _run(self, command: list[str], job: Job) -> Outcome:
        if self._stopped.is_set():  # before it has begun
            return Outcome.CANCELLED
        process = await asyncio.create_subprocess_exec(*command, cwd=job.cwd, env=job.environment(os.environ))
        self.facts = AttemptFacts(phase=Phase.RUN, pid=process.pid, host=self.host)
        if self.on_change is not None:
            self.on_change()
        stopped, exited = asyncio.create_task(self._stopped.wait()), asyncio.create_task(process.wait())
        await asyncio.wait([stopped, exited], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if exited.done():
            return Outcome.OK if exited.result() == 0 else Outcome.EXIT
        process.kill()
        await exited
        return Outcome.CANCELLED


class PrefixExecutor:
    """Starts every command behind the same few words."""

    capacity = 4

    def __init__(self, *prefix: str) -> None:
        self._prefix = prefix
        self._attempts: dict[AttemptId, PrefixedAttempt] = {}

    def submit(self, job: Job) -> Running:
        """Start it; submitted twice, it runs once."""
        if job.id not in self._attempts:
            self._attempts[job.id] = PrefixedAttempt(job, self._prefix)
        return self._attempts[job.id]

    async def reclaim(self, ids: Iterable[AttemptId]) -> Mapping[AttemptId, Running | Lost]:
        """Say that nothing outlives this program."""
        return {attempt: Lost(attempt) for attempt in ids}

    async def close(self) -> None:
        """End what still runs."""
        for attempt in self._attempts.values():
            attempt.stop(0.0)


async def main() -> None:
    """Run two tasks, one after the other."""
    plan = Cascade.of([Task(id="A1"), Task(id="B1", depends_on=("A1",))], project="Elsewhere")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        report = await Orchestrator(
            plan,
            executor=PrefixExecutor("nice", "-n", "5"),
            command_for=lambda task: ["echo", f"{task.id} is done"],
            log_dir=here / "logs", state_file=here / "state.json", journal=here / ".nova/journal.db", root=here,
        ).run()  # fmt: skip
    print("all completed" if report.ok else "something failed")


asyncio.run(main())
