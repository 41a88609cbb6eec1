"""One attempt of a task: noted before it begins, run, verified, and noted again before anything depends on its end."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import final

from nova_async.agents import AGENTS, AgentReport, recognise
from nova_async.journal.records import AttemptEnd
from nova_async.orchestrator.checkout import Checkout, look_at_checkout
from nova_async.orchestrator.executor import Executor, Job, Running
from nova_async.orchestrator.outcome import outcome_of
from nova_async.orchestrator.task_run import now
from nova_async.worker.limits import Limits

__all__ = ["AttemptRunner"]

VERIFY_SECONDS = 3600.0  # a test suite of an hour is long; a verification that hangs must not hold up the run for ever


@final
@dataclass(slots=True)
class AttemptRunner:
    """Runs one job to its end on an executor; whatever happens, ``run`` returns how it ended.

    ``on_start`` is told when the process runs, ``on_change`` whenever its report changes. ``stop`` may be called at
    any time; a cancellation kills at once, and is delivered after the end.
    """

    job: Job
    executor: Executor
    verify: tuple[str, ...] | None
    on_start: Callable[[Running], object]
    on_change: Callable[[], object]
    running: Running | None = None
    stopped: bool = False
    grace: float = 5.0

    async def run(self) -> AttemptEnd:
        """Start, wait, verify, and say how it ended."""
        begun = now()
        folder = Path(self.job.cwd)
        before = await look_at_checkout(folder)
        if self.stopped:
            return ended(begun, "cancelled", "stopped before it had begun")
        try:
            outcome, error = await self._run_job(self.job, self.on_start)
        except Exception as refusal:  # also what an executor should not raise: its task must not hang for that
            if self.running is not None:
                await self.running.terminate(0.0)
                return ended(begun, "exit_unknown", sentence_of(refusal))
            word = "log_error" if is_about(refusal, self.job.log_path) else "spawn_error"
            if isinstance(refusal, FileNotFoundError) and refusal.filename == self.job.command[0]:
                return ended(begun, word, f"{refusal.filename} is not to be found: is it installed, and on PATH?")
            return ended(begun, word, sentence_of(refusal))
        worker = self.running
        assert worker is not None
        if outcome == "ok" and self.verify:
            outcome, error = await self._verify(self.verify)
        facts = worker.get_status_dict()
        report = worker.report
        after = await look_at_checkout(folder) if before is not None else None
        return replace(
            ended(begun, outcome, error),
            exit_code=worker.get_exit_code(),
            usage=report.usage,
            usage_by_model=dict(report.usage_by_model),
            usage_exact=report.usage_is_final,
            cost_usd=report.cost_usd,
            session_id=report.session_id,
            model=report.model,
            leftovers=facts["leftovers"],
            forced=facts["end"] == "lingered",
            commit_sha=after.head if after else None,
            files_changed=await changed(before, after),
        )

    async def stop(self, grace: float | None = None) -> None:
        """End the attempt, now or as soon as it has been started; return when it has ended."""
        self.stopped = True
        self.grace = self.grace if grace is None else grace
        if self.running is not None:
            await self.running.terminate(self.grace)

    async def _run_job(self, job: Job, on_start: Callable[[Running], object]) -> tuple[str, str | None]:
        self.running = worker = await self.executor.start(job, self.on_change)
        on_start(worker)
        await self._until_ended(worker)
        assert worker.end is not None
        agent = AGENTS[job.agent] if job.agent else recognise(job.command)
        outcome = outcome_of(
            worker.end,
            worker.get_exit_code(),
            worker.report,
            has_result=agent.has_result(agent.mode_of(job.command)),
        )
        return outcome, None if outcome == "ok" else describe(outcome, worker.error, worker.report)

    async def _verify(self, command: tuple[str, ...]) -> tuple[str, str | None]:
        """Run the task's own check as a worker too, with a log of its own beside the agent's."""
        log_path = self.job.log_path.with_name(f"{self.job.task_id}~verify.log")  # no task can have this name
        limits = Limits(timeout=self.job.limits.timeout or VERIFY_SECONDS)
        job = replace(
            self.job, command=command, stdin=None, agent="plain", limits=limits, log_path=log_path, leftovers="kill"
        )
        agent = self.running
        try:
            if self.stopped:
                return "cancelled", "stopped before it was verified"
            outcome, error = await self._run_job(job, on_start=lambda worker: None)
        except Exception as refusal:
            return "verify", f"verify could not run: {sentence_of(refusal)}"
        finally:
            self.running = agent
        if outcome in ("ok", "cancelled"):
            return outcome, error
        return "verify", f"verify failed: {error or outcome}; see {log_path}"

    async def _until_ended(self, worker: Running) -> None:
        if self.stopped:
            await worker.terminate(self.grace)
        try:
            await worker.wait()
        except asyncio.CancelledError:
            self.stopped = True
            while worker.end is None:
                try:
                    await worker.terminate(0.0)
                except asyncio.CancelledError:
                    continue
            raise


def ended(begun: datetime, outcome: str, error: str | None) -> AttemptEnd:
    """Return the bare end of an attempt."""
    end = now()
    return AttemptEnd(
        outcome=outcome, ended_at=end, duration_seconds=max(0.0, (end - begun).total_seconds()), error=error
    )


def sentence_of(error: Exception) -> str:
    """Say what went wrong; an error that says too little alone is named."""
    return str(error) if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {error}"


def is_about(error: Exception, log_path: Path) -> bool:
    """Tell whether the log, and not the program, could not be opened."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str | bytes | Path):
        return False
    path = Path(os.fsdecode(name))
    return path in log_path.parents or (path.parent == log_path.parent and path.suffix == log_path.suffix)


def describe(outcome: str, error: str | None, report: AgentReport) -> str:
    """Say in one sentence why an attempt is no success."""
    if outcome == "lost_tail":
        return "it exited with code 0, but its final result never came"
    if outcome == "limit" and report.limit is not None and report.limit.resets_at is not None:
        resets = report.limit.resets_at.isoformat(timespec="minutes")
        return f"usage limit '{report.limit.kind}' reached; it resets at {resets}"
    return error or report.error or outcome


async def changed(before: Checkout | None, after: Checkout | None) -> tuple[str, ...]:
    """Return the files that changed between two looks at a checkout."""
    return await after.files_changed_since(before) if before is not None and after is not None else ()
