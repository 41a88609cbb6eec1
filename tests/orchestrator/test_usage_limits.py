"""A usage limit is waited out: nothing begins on its account before the reset, and it costs no retry."""

import asyncio
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async.cascade import Cascade
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.words import EventKind, Outcome, TaskState
from tests.orchestrator.test_agents_on_hold import EIGHT, SERVED, eight
from tests.orchestrator.test_running import orchestrator, states

PROGRAM = Path(__file__).parents[1] / "programs/limited_account.py"


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a state folder of its own: limits are shared by all runs of a user."""
    folder = tmp_path_factory.mktemp("states")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


def command(account: Path, seconds: float) -> list[str]:
    """Return the command of an agent whose account has a limit."""
    return [sys.executable, str(PROGRAM), str(account), str(seconds), str(SERVED)]


def calls(account: Path, how: str) -> list[str]:
    """Return the tasks that were served, or refused, in order."""
    return (account / how).read_text().split() if (account / how).exists() else []


def limited(cascade: Cascade, folder: Path, seconds: float, **options: Any) -> Orchestrator:
    """Make a run by an agent whose account reaches its limit at the first start, for so many seconds."""
    command_for = lambda task: command(folder, seconds)  # noqa: E731
    return orchestrator(cascade, folder, **{"agent": "claude", "command_for": command_for, **options})


def with_settings(cascade: Cascade, **settings: Any) -> Cascade:
    """Return a plan with other settings."""
    return replace(cascade, settings=replace(cascade.settings, **settings))


async def test_a_run_waits_for_the_reset_and_goes_on(tmp_path: Path) -> None:
    """All tasks complete, without a retry; nothing begins before the reset, and then one first."""
    runner = limited(eight(retries=0), tmp_path, 1.5, max_workers=1)
    events = runner.events()
    running = asyncio.create_task(runner.run())
    told = [event async for event in events]
    report = await running
    assert report.ok
    assert (calls(tmp_path, "refused"), calls(tmp_path, "served")) == (["T1"], EIGHT)
    reached, reset = (event for event in told if event.kind in (EventKind.LIMIT_REACHED, EventKind.LIMIT_RESET))
    assert (reached.data["agent"], reached.data["limit"]) == ("claude", "five_hour")
    resets_at = datetime.fromisoformat(reached.data["resets_at"])
    assert resets_at == datetime.fromtimestamp(int((tmp_path / "resets").read_text()), UTC)
    assert resets_at < reset.at
    assert not [event for event in told if event.kind in (EventKind.TASK_RETRYING, EventKind.TASK_FAILED)]
    assert report.holds == ()


async def test_how_a_waiting_task_looks(tmp_path: Path) -> None:
    """It says what it waits for and until when; a stop ends the wait at once."""
    runner = limited(eight(), tmp_path, 3600, max_workers=1)
    running = asyncio.create_task(runner.run())
    async for event in runner.events():
        if event.kind is EventKind.LIMIT_REACHED:
            break
    while any(view.state is not TaskState.WAITING for view in runner.views.values()):
        await asyncio.sleep(0)
    assert {view.reason for view in runner.views.values()} == {"waits for the usage limit of claude"}
    (moment,) = {view.retry_at for view in runner.views.values()}
    assert moment is not None
    assert (moment - datetime.now(UTC)).total_seconds() + 10 > 3600
    stopped = time.monotonic()
    runner.stop()
    report = await running
    assert time.monotonic() - stopped < 5
    (hold,) = report.holds
    assert (hold.outcome, hold.kind, hold.waiting) == (Outcome.LIMIT, "five_hour", tuple(EIGHT))


@pytest.mark.parametrize(
    ("settings", "state"), [({"max_wait": 0.0}, "waiting"), ({"on_usage_limit": "fail"}, "failed")]
)
async def test_a_run_that_does_not_wait(tmp_path: Path, settings: dict[str, Any], state: str) -> None:
    """With no time to wait all tasks stay pending, and the run says until when; or they fail, as the plan wants."""
    report = await limited(with_settings(eight(), **settings), tmp_path, 3600, max_workers=1).run()
    assert set(states(report).values()) == {state}
    assert calls(tmp_path, "refused") == (["T1"] if state == "waiting" else EIGHT)
    if state == "waiting":
        (hold,) = report.holds
        assert hold.resets_at == datetime.fromtimestamp(int((tmp_path / "resets").read_text()), UTC)
        assert hold.until is None
        assert "longer than max_wait (0 s)" in hold.cure
        assert "--max-wait" in hold.cure
    else:
        assert {task.outcome for task in report.tasks.values()} == {Outcome.LIMIT}
        assert report.holds == ()


async def test_a_busy_service_is_not_tried_sooner_than_it_asked(tmp_path: Path) -> None:
    """What the agent passes on is written down, and longer than the pause of the plan."""
    words = "API Error: 529 Overloaded. Please retry after 600 seconds"
    ids = {"session_id": "s1", "uuid": "u2", "num_turns": 1, "usage": {"input_tokens": 0, "output_tokens": 0}}
    result = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": 529, "result": words, **ids}
    script = f"print({json.dumps(result)!r}); raise SystemExit(1)"
    command_for = lambda task: [sys.executable, "-c", script]  # noqa: E731
    cascade = with_settings(eight(), backoff=(0.01, 0.02))
    runner = orchestrator(cascade, tmp_path, agent="claude", command_for=command_for, max_workers=1)
    running = asyncio.create_task(runner.run())
    async for event in runner.events():
        if event.kind is EventKind.TASK_RETRYING:
            runner.stop()
            assert 600 <= event.data["delay_seconds"] <= 660
    report = await running
    (attempt,) = report.tasks["T1"].attempts
    assert attempt.end is not None
    assert (attempt.end.outcome, attempt.end.retry_after) == (Outcome.OVERLOAD, 600.0)
