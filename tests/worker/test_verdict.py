"""The verdict on a worker: exit code, our own stop and the agent's report, in that order of weight."""

import signal
from pathlib import Path

import pytest

from nova_async import AgentReport, AsyncWorker, WorkerEnd, WorkerStatus
from nova_async.worker.verdict import NO_STATUS, Stop, Verdict, verdict

COMPLETED, FAILED = WorkerStatus.COMPLETED, WorkerStatus.FAILED
SAID = AgentReport(is_error=True, error="API Error: 400")
WELL = AgentReport(is_error=False, result="Done.")


@pytest.mark.parametrize(
    ("exit_code", "stop", "report", "expected"),
    [
        (0, None, AgentReport(), Verdict(COMPLETED, WorkerEnd.EXITED, None)),
        (0, None, WELL, Verdict(COMPLETED, WorkerEnd.EXITED, None)),
        (0, None, SAID, Verdict(COMPLETED, WorkerEnd.EXITED, "API Error: 400")),
        (0, None, AgentReport(is_error=False, error="once"), Verdict(COMPLETED, WorkerEnd.EXITED, None)),
        (1, None, SAID, Verdict(FAILED, WorkerEnd.EXITED, "API Error: 400")),
        (3, None, AgentReport(), Verdict(FAILED, WorkerEnd.EXITED, "exit code 3")),
        (-15, None, AgentReport(), Verdict(FAILED, WorkerEnd.SIGNALED, "killed by SIGTERM")),
        (-signal.SIGRTMIN, None, AgentReport(), Verdict(FAILED, WorkerEnd.SIGNALED, "killed by SIGRTMIN")),
        (-40, None, AgentReport(), Verdict(FAILED, WorkerEnd.SIGNALED, "killed by signal 40")),
        (None, None, WELL, Verdict(FAILED, WorkerEnd.EXIT_UNKNOWN, NO_STATUS)),
        (None, Stop(WorkerEnd.STALLED, "stalled"), SAID, Verdict(FAILED, WorkerEnd.STALLED, "stalled")),
        *(
            (-15, Stop(end, "too much"), WELL, Verdict(COMPLETED, WorkerEnd.LINGERED, None))
            for end in (WorkerEnd.TIMED_OUT, WorkerEnd.STALLED, WorkerEnd.OVER_BUDGET, WorkerEnd.OUT_OF_MEMORY)
        ),
        (0, Stop(WorkerEnd.TERMINATED, "terminated"), WELL, Verdict(FAILED, WorkerEnd.TERMINATED, "terminated")),
        (-15, Stop(WorkerEnd.LINGERED, "stayed"), WELL, Verdict(COMPLETED, WorkerEnd.LINGERED, None)),
        (-15, Stop(WorkerEnd.LINGERED, "stayed"), SAID, Verdict(FAILED, WorkerEnd.LINGERED, "stayed")),
        (-15, Stop(WorkerEnd.LINGERED, "stayed"), AgentReport(), Verdict(FAILED, WorkerEnd.LINGERED, "stayed")),
    ],
)
def test_the_verdict(exit_code: int | None, stop: Stop | None, report: AgentReport, expected: Verdict) -> None:
    """Each way to end has one status, one word and one sentence."""
    assert verdict(exit_code, stop, report) == expected


async def test_a_last_line_without_its_end_is_read(tmp_path: Path) -> None:
    """Nobody ends the last line of an output that was cut off, or of a script that prints with printf."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(["printf", "Token usage: input=1, output=2, cache_read=3, cache_creation=4"])
        await worker.wait()
    assert worker.report.usage.total == 10
