"""An attempt's tokens are known while its agent works, even where that prints none, and are kept when it is ended."""

from pathlib import Path

from nova_async import TokenUsage
from nova_async.attempt.job import Job
from nova_async.attempt.local_attempt import run_attempt
from nova_async.records import AttemptFacts, AttemptId
from nova_async.words import Outcome, UsageSource
from nova_async.worker.limits import Limits
from tests.children import program

ANSWER = TokenUsage(100, 5, 10, 0)


async def test_the_files_of_its_session_are_read_in_the_jobs_environment(tmp_path: Path) -> None:
    """The job's own variables say where they are; what they tell is in the facts, and at last in the end."""
    job = Job(
        id=AttemptId("run", "A1", 1), command=tuple(program("keeps_a_session", "0", "loop")), agent="codex",
        cwd=str(tmp_path), env={"CODEX_HOME": "sessions of it"}, limits=Limits(max_tokens=5 * ANSWER.total, timeout=30),
        log_name="A1.log",
    )  # fmt: skip
    told: list[AttemptFacts] = []
    end = await run_attempt(job, told.append, log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.BUDGET, end.error
    assert end.usage.total > 5 * ANSWER.total
    assert (end.usage_source, end.usage_is_final) == (UsageSource.SESSION_FILES, False)
    counted = [facts.usage.total for facts in told]
    assert counted == sorted(counted)
    assert any(counted)
