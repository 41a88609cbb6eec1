"""An attempt's tokens are known while its agent works, even where that prints none, and are kept when it is ended."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nova_async import TokenUsage
from nova_async.attempt.job import Job
from nova_async.attempt.local_attempt import LocalAttempt, run_attempt
from nova_async.prices import ModelPrice, Prices
from nova_async.records import AttemptFacts, AttemptId
from nova_async.words import Outcome, Phase, UsageSource
from nova_async.worker.limits import Limits
from tests.children import program

GAUGED = Path(__file__).parents[1] / "data/claude/oauth-ratelimit.sj.stdout"
KILLED = Path(__file__).parents[1] / "data/claude/sleeptool.sj-term-pid.stdout"
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


def of_a_turn(number: int) -> list[dict[str, Any]]:
    """Return the lines of Claude that begin a turn in which 1,000 tokens are used."""
    message = {"id": f"m{number}", "model": "x", "content": [], "usage": {"input_tokens": 1000, "output_tokens": 0}}
    init = {"type": "system", "subtype": "init", "session_id": "s", "model": "x"}
    return [init, {"type": "assistant", "session_id": "s", "message": message}]


@pytest.mark.parametrize(
    ("prices", "cost", "estimate"),
    [({"x": ModelPrice(100.0, 0.0)}, None, 0.2), ({"x": ModelPrice(1.0, 0.0)}, 0.1, None), ({}, 0.1, None)],
    ids=["estimated", "less than was told", "no price"],
)
async def test_a_cost_that_is_behind_at_the_end_is_estimated_anew(
    tmp_path: Path, prices: dict[str, ModelPrice], cost: float | None, estimate: float | None
) -> None:
    """What a later turn has used before it was cut is in no figure of the agent's; meanwhile the facts say so."""
    result = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}
    used = {"total_cost_usd": 0.1, "modelUsage": {"x": {"inputTokens": 1000}}, "session_id": "s"}
    events = [*of_a_turn(1), {**result, **used}, *of_a_turn(2)]
    (tmp_path / "events").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    job = Job(
        id=AttemptId("run", "A1", 1), command=tuple(program("told_when_stopped", "all", tmp_path / "events")),
        agent="claude", cwd=str(tmp_path), log_name="A1.log", prices=Prices(prices, listed=False),
    )  # fmt: skip
    attempt, behind = LocalAttempt(job, tmp_path / "logs"), asyncio.Event()
    attempt.on_change = lambda: behind.set() if attempt.facts.cost_is_behind else None
    running = asyncio.create_task(attempt.run())
    async with asyncio.timeout(20):
        await behind.wait()
        assert attempt.facts.cost_usd == 0.1
        attempt.stop(5.0)
        end = await running
    assert (end.outcome, end.usage.total) == (Outcome.CANCELLED, 2000)
    assert (end.cost_usd, end.estimated_usd) == (cost, estimate)


async def test_how_full_the_account_is_stays_known_to_the_end(tmp_path: Path) -> None:
    """It is in the facts while the agent works, and still in those of the check."""
    job = Job(
        id=AttemptId("run", "A1", 1), command=("cat", str(GAUGED)), agent="claude", cwd=str(tmp_path), verify=("true",),
        log_name="A1.log",
    )  # fmt: skip
    told: list[AttemptFacts] = []
    end = await run_attempt(job, told.append, log_dir=tmp_path / "logs")
    assert end.outcome is Outcome.OK, end.error
    [gauges] = {facts.gauges for facts in told if facts.gauges}
    assert [(gauge.kind, gauge.used) for gauge in gauges] == [("five_hour", 0.91)]
    assert {facts.phase for facts in told if facts.gauges} >= {Phase.RUN, Phase.VERIFY}


async def test_a_claude_that_was_killed_is_priced_by_how_long_its_caches_last(tmp_path: Path) -> None:
    """Its answers say what is kept for an hour, which is dearer, and what for five minutes."""
    prices = Prices({"claude-sonnet-4-6": ModelPrice(3.0, 15.0, 0.3, 3.75, 6.0)}, listed=False)
    job = Job(
        id=AttemptId("run", "A1", 1), command=("cat", str(KILLED)), agent="claude", cwd=str(tmp_path),
        log_name="A1.log", prices=prices,
    )  # fmt: skip
    told: list[AttemptFacts] = []
    end = await run_attempt(job, told.append, log_dir=tmp_path / "logs")
    used = end.usage
    assert (end.cost_usd, used.cache_creation_tokens) == (None, 8004)
    by_hand = 3 * used.input_tokens + 15 * used.output_tokens + 0.3 * used.cache_read_tokens + 6 * 5003 + 3.75 * 3001
    assert end.estimated_usd == pytest.approx(by_hand / 1e6)
    assert told[-1].estimated_usd in (None, end.estimated_usd)
