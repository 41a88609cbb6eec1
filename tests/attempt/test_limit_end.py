"""When the usage limit ends that an attempt ran into: a moment, wherever the agent's words allow one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import pytest

from nova_async.agents import Gauge, UsageLimit
from nova_async.attempt.limit_end import with_end, zone_of_agent
from nova_async.attempt.local_attempt import run_attempt
from nova_async.words import Outcome
from tests.attempt.conftest import MakeJob

if not available_timezones():
    pytest.skip("this machine knows no time zones: install tzdata", allow_module_level=True)

VERDICTS = Path(__file__).parents[1] / "data" / "verdicts"


async def test_an_attempt_says_which_limit_it_ran_into_and_until_when(tmp_path: Path, job: MakeJob) -> None:
    """Codex tells the hour in the time zone that its task has: the next one that a clock there shows."""
    recording = VERDICTS / "codex" / "usage-limit.stdout"  # it ends at 3:54 PM
    work = job(f"cat {recording}; exit 1", agent="codex", env={"TZ": "Asia/Kolkata"})
    end = await run_attempt(work, log_dir=tmp_path / "logs")
    assert (end.outcome, end.limit_kind) == (Outcome.LIMIT, "usage")
    assert end.limit_resets_at is not None
    there = end.limit_resets_at.astimezone(ZoneInfo("Asia/Kolkata"))
    assert (there.hour, there.minute) == (15, 54)
    assert timedelta(minutes=-2) < end.limit_resets_at - datetime.now(UTC) <= timedelta(days=1)
    here = f"{end.limit_resets_at.astimezone():%Y-%m-%d %H:%M}"
    assert end.error == f"usage limit 'usage' reached; resets at {here}", "as the clock of this machine shows it"


async def test_an_attempt_without_a_limit_has_none(tmp_path: Path, job: MakeJob) -> None:
    """A failure of another kind says nothing of one."""
    end = await run_attempt(job("exit 1", agent="codex"), log_dir=tmp_path / "logs")
    assert (end.limit_kind, end.limit_resets_at) == (None, None)


def test_a_moment_that_is_told_is_kept_unless_it_cannot_be() -> None:
    """The words decide where there is none; a moment after more than any limit's time is a mistake."""
    soon, never = datetime.now(UTC) + timedelta(hours=2), datetime.now(UTC) + timedelta(days=400)
    assert with_end(UsageLimit("usage", soon, "3pm"), {}).resets_at == soon
    assert with_end(UsageLimit("usage", never), {}).resets_at is None
    assert with_end(UsageLimit("usage"), {}) == UsageLimit("usage")
    told = with_end(UsageLimit("usage", None, "2 hours"), {}).resets_at
    assert told is not None
    assert abs(told - soon) < timedelta(minutes=1)
    assert with_end(UsageLimit("usage", None, "3pm (No/Where)"), {}).resets_at is None
    assert with_end(UsageLimit("usage", None, "3pm (Europe/London)"), {}).resets_at is not None


def test_a_full_gauge_tells_the_second_of_what_was_told_to_the_minute() -> None:
    """Codex cuts the seconds off, and refuses again at the minute's beginning; another gauge is not meant."""
    end = (datetime.now(UTC) + timedelta(hours=2)).replace(second=17, microsecond=0)
    told = UsageLimit("usage", None, f"{end:%-I:%M %p} UTC")
    full, other = Gauge("five_hour", 1.0, end), Gauge("seven_day", 1.0, end + timedelta(days=3))
    assert with_end(told, {}, [other, full]).resets_at == end
    assert with_end(told, {}).resets_at == end.replace(second=59)
    assert with_end(told, {}, [replace(full, used=0.99), other, Gauge("x", 1.0)]).resets_at == end.replace(second=59)
    assert with_end(UsageLimit("usage"), {}, [other, full]).resets_at == other.resets_at
    assert with_end(UsageLimit("usage", model="m"), {}, [full]).resets_at is None, "it is the account's"
    over = Gauge("five_hour", 1.0, datetime.now(UTC) - timedelta(minutes=5))
    assert with_end(UsageLimit("usage"), {}, [over]).resets_at is None


def test_the_zone_is_the_agents_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``TZ`` where it is set, else the machine's, with its changes of the clocks; never none at all."""
    assert zone_of_agent({"TZ": "Europe/Paris"}) == ZoneInfo("Europe/Paris")
    assert zone_of_agent({"TZ": ":Asia/Tokyo"}) == ZoneInfo("Asia/Tokyo")
    here = datetime.now().astimezone().utcoffset()
    now = datetime.now()
    assert zone_of_agent({"TZ": "XYZ+3"}).utcoffset(now) == here
    monkeypatch.setattr("nova_async.attempt.limit_end.LOCALTIME", tmp_path / "none")
    assert zone_of_agent({}).utcoffset(now) == here
    (tmp_path / "none").write_bytes(b"no zone")
    assert zone_of_agent({}).utcoffset(now) == here
    tokyo = next((path for folder in TZPATH if (path := Path(folder) / "Asia" / "Tokyo").exists()), None)
    if tokyo is None:
        pytest.skip("this machine has no files of time zones")
    monkeypatch.setattr("nova_async.attempt.limit_end.LOCALTIME", tokyo)
    assert zone_of_agent({}).utcoffset(now) == timedelta(hours=9)
