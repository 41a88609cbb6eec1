"""Moments as people read them: by this machine's clock, with the day where it is not plain."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nova_async._core.moments import day_and_time, local_time
from nova_async.agents import AgentReport, UsageLimit
from nova_async.attempt.outcome import sentence_for
from nova_async.cli.checks import check_machine
from nova_async.words import Outcome
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.limits import Limits

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)  # half past one in the night of the 27th in India


@pytest.fixture(autouse=True)
def india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this machine be where no hour is one of UTC."""
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_day_is_told_where_it_is_another() -> None:
    """By the calendar here, not by that of UTC."""
    assert local_time(NOW + timedelta(hours=3), NOW) == "04:30"
    assert local_time(NOW + timedelta(hours=23), NOW, seconds=True) == "2026-11-28 00:30:00"
    assert local_time(NOW - timedelta(hours=2), NOW) == "2026-11-26 23:30"
    assert day_and_time(NOW) == "2026-11-27 01:30"


async def test_nobody_is_told_a_time_of_another_zone(tmp_path: Path) -> None:
    """Not by the end of a usage limit, not by a warning of silence, and not by the doctor."""
    limit = AgentReport(is_error=True, limit=UsageLimit("weekly", NOW))
    assert sentence_for(Outcome.LIMIT, None, limit) == "usage limit 'weekly' reached; resets at 2026-11-27 01:30"
    worker, told = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(idle_timeout=0.4)), list[str]()
    worker.on_change = lambda: told.append(worker.warning or "")
    before = datetime.now(UTC)
    await worker.start(["sleep", "60"])
    await worker.wait(30)
    [warning] = filter(None, dict.fromkeys(told))
    hours = {local_time(before + timedelta(seconds=more), before)[:-3] for more in (0, 30)}
    assert any(f"ends at {hour}:" in warning for hour in hours), warning
    [clock] = [check for check in check_machine() if check.name == "clock"]
    assert "UTC" not in clock.text
    assert clock.text[:13] in {day_and_time(before + timedelta(seconds=more))[:13] for more in (0, 30)}
