"""How full an account is, is known to all runs of a user on a machine, and slows the starts of all of them down."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_async.orchestrator.happenings import Heard
from nova_async.orchestrator.limits_file import LARGEST, MOST, MOST_ACCOUNTS, MOST_GAUGES, LimitsFile, limits_path
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.orchestrator.shared_gauges import hear, write_gauges
from nova_async.usage import Gauge
from nova_async.words import EventKind
from tests.orchestrator.test_agents_on_hold import SERVED, eight
from tests.orchestrator.test_pace import LOGIN
from tests.orchestrator.test_running import orchestrator
from tests.orchestrator.test_shared_limits import entry
from tests.orchestrator.test_usage_limits import own_state_folder

__all__ = ["own_state_folder"]

PROGRAM = Path(__file__).parents[1] / "programs/gauged_account.py"
NOW = 1_795_000_000.0
GAUGE = Gauge("five_hour", 0.9, datetime.fromtimestamp(NOW + 600, UTC))


def file_in(folder: Path) -> LimitsFile:
    """Return a file of one run; nothing may be wrong with it."""

    def fail(text: str) -> None:
        raise AssertionError(text)

    return LimitsFile(folder / "limits.json", fail)


def document_in(folder: Path) -> Any:
    """Return what stands there."""
    return json.loads((folder / "limits.json").read_text())


def test_what_one_run_writes_another_hears(tmp_path: Path) -> None:
    """Digests, shares and moments are all that is written."""
    one, other = file_in(tmp_path), file_in(tmp_path)
    assert hear(other, LOGIN, "k", False, 0.0, NOW) is None
    write_gauges(one, "k", (GAUGE, Gauge("seven_day", 0.5)), NOW - 5, NOW)
    assert hear(other, LOGIN, "k", False, 0.0, NOW) == Heard(LOGIN, (GAUGE, Gauge("seven_day", 0.5)), NOW - 5)
    assert hear(other, LOGIN, "another", False, 0.0, NOW) is None
    assert list(document_in(tmp_path)["gauges"]) == ["k"]


def test_of_runs_that_wait_for_the_same_moment_one_starts(tmp_path: Path) -> None:
    """The first one claims the start; the others hear of it, and wait for the next moment."""
    runs = [file_in(tmp_path) for _ in range(3)]
    write_gauges(runs[0], "k", (GAUGE,), NOW - 60, NOW - 60)
    heard = [hear(run, LOGIN, "k", True, NOW - 60, NOW) for run in runs]
    assert [found is not None and found.started_at for found in heard] == [NOW - 60, NOW, NOW]
    write_gauges(runs[1], "k", (GAUGE,), NOW - 60, NOW + 1)  # of a start before
    assert [hear(run, LOGIN, "k", False, 0.0, NOW) for run in runs] == [Heard(LOGIN, (GAUGE,), NOW)] * 3


def test_a_start_in_the_future_is_none(tmp_path: Path) -> None:
    """It was written by a run whose clock was wrong: it holds nobody back."""
    file = file_in(tmp_path)
    write_gauges(file, "k", (GAUGE,), NOW + 9999, NOW)
    assert document_in(tmp_path)["gauges"]["k"]["started_at"] is None
    assert file.change_gauges("k", lambda stands: {**(stands or {}), "started_at": NOW + 9999}, NOW)
    hear(file, LOGIN, "k", True, 0.0, NOW)
    assert document_in(tmp_path)["gauges"]["k"]["started_at"] == NOW


def test_both_sections_are_kept_whichever_is_written(tmp_path: Path) -> None:
    """A limit that is reached leaves the gauges, and a gauge the limits."""
    file = file_in(tmp_path)
    write_gauges(file, "k", (GAUGE,), None, NOW)
    assert file.change("a", lambda stands: entry(NOW), NOW)
    write_gauges(file, "l", (GAUGE,), None, NOW)
    assert file.change("b", lambda stands: entry(NOW), NOW)
    assert (set(file.gauges()), set(file.entries())) == ({"k", "l"}, {"a", "b"})


def test_what_another_version_has_written_stays(tmp_path: Path) -> None:
    """Sections, entries and fields that this one does not know are written back as they were."""
    newer = {
        "schema": 1,
        "limits": {"a": {"closed": "for ever"}, "b": {**entry(NOW), "colour": "red"}},
        "gauges": {"k": ["another form"], "l": {"gauges": {}, "told_at": NOW, "colour": "red"}},
        "quotas": {"x": [1, 2, 3]},
    }
    (tmp_path / "limits.json").write_text(json.dumps(newer))
    (tmp_path / "limits.json").chmod(0o600)
    file = file_in(tmp_path)
    assert (set(file.entries()), set(file.gauges())) == ({"b"}, {"l"})
    assert file.change("c", lambda stands: entry(NOW), NOW)
    write_gauges(file, "l", (GAUGE,), None, NOW)
    found = document_in(tmp_path)
    assert found["quotas"] == newer["quotas"]
    assert {key: found["limits"][key] for key in "ab"} == newer["limits"]
    assert found["gauges"]["k"] == ["another form"]
    assert found["gauges"]["l"]["colour"] == "red"


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    """It has limits alone; and what an older version reads of ours is what it knows."""
    (tmp_path / "limits.json").write_text(json.dumps({"schema": 1, "limits": {"a": entry(NOW)}}))
    (tmp_path / "limits.json").chmod(0o600)
    file = file_in(tmp_path)
    assert (set(file.entries()), file.gauges()) == ({"a"}, {})
    write_gauges(file, "k", (GAUGE,), None, NOW)
    assert document_in(tmp_path)["limits"] == {"a": entry(NOW)}


def test_the_file_is_never_larger_than_a_reader_takes(tmp_path: Path) -> None:
    """So many accounts and kinds are kept; what another version has written goes first, and limits stay."""
    file = file_in(tmp_path)
    file.change("a", lambda stands: entry(NOW + 9), NOW)
    for number in range(MOST_ACCOUNTS + 3):
        gauges = tuple(Gauge(f"{'é' * 55}{kind}", 0.5, GAUGE.resets_at) for kind in range(20))
        write_gauges(file, str(number), gauges, NOW, NOW + number)
    assert {len(each["gauges"]) for each in file.gauges().values()} == {MOST_GAUGES}
    assert MOST_ACCOUNTS // 3 < len(file.gauges()) < MOST_ACCOUNTS
    assert str(MOST_ACCOUNTS + 2) in file.gauges()
    assert "a" in file.entries()
    assert (tmp_path / "limits.json").stat().st_size <= LARGEST


def test_unknown_entries_do_not_crowd_out_limits(tmp_path: Path) -> None:
    """They are kept as long as there is room."""
    entries = {f"x{number}": {"n": number} for number in range(MOST)}
    (tmp_path / "limits.json").write_text(json.dumps({"schema": 1, "limits": entries, "more": "x" * (LARGEST - 9000)}))
    (tmp_path / "limits.json").chmod(0o600)
    file = file_in(tmp_path)
    for number in range(5):
        assert file.change(str(number), lambda stands: entry(NOW), NOW)
    assert (len(file.entries()), len(document_in(tmp_path)["limits"])) == (5, MOST)


@pytest.mark.parametrize(
    "strange",
    [
        {"gauges": {"five_hour": {"used": 2}}, "told_at": NOW},
        {"gauges": {"five_hour": {"used": -1}}, "told_at": NOW},
        {"gauges": {"five_hour": {"used": "full"}}, "told_at": NOW},
        {"gauges": {"five_hour": {"used": 0.5, "resets_at": 1e300}}, "told_at": NOW},
        {"gauges": {"five_hour": 0.5}, "told_at": NOW},
        {"gauges": {"k" * 99: {"used": 0.5}}, "told_at": NOW},
        {"gauges": {str(number): {"used": 0.5} for number in range(99)}, "told_at": NOW},
        {"gauges": {}, "told_at": NOW, "started_at": "soon"},
        {"gauges": [], "told_at": NOW},
        {"gauges": {}},
        7,
    ],
)
def test_a_strange_gauge_slows_nobody_down(tmp_path: Path, strange: Any) -> None:
    """Whatever stands there is not read, and is replaced when the account is heard of."""
    (tmp_path / "limits.json").write_text(json.dumps({"limits": {}, "gauges": {"k": strange}}))
    (tmp_path / "limits.json").chmod(0o600)
    file = file_in(tmp_path)
    assert hear(file, LOGIN, "k", False, 0.0, NOW) is None
    write_gauges(file, "k", (GAUGE,), None, NOW)
    assert set(file.gauges()) == {"k"}


def gauged(folder: Path, account: Path, seconds: float, max_workers: int = 2) -> Orchestrator:
    """Make a run by an agent whose account is 95 % full at the first start, and resets so many seconds later."""
    command = [sys.executable, str(PROGRAM), str(account), str(seconds), "0.95", str(SERVED)]
    return orchestrator(eight(), folder, agent="claude", command_for=lambda task: command, max_workers=max_workers)


def starts(account: Path) -> list[tuple[float, str]]:
    """Return when each task was started, from the first one on."""
    lines = [line.split() for line in (account / "starts").read_text().splitlines()]
    return [(float(moment) - float(lines[0][0]), task) for moment, task in lines]


async def test_a_run_slows_down_before_the_limit(tmp_path: Path) -> None:
    """Its tasks start one by one once the agent has told, and the rest when the limit has reset; and it says so."""
    runner = gauged(tmp_path, tmp_path, 6.0)
    events = runner.events()
    running = asyncio.create_task(runner.run())
    told, reasons, gauges = [], set(), set()
    async for event in events:
        told.append(event)
        reasons |= {view.reason for view in runner.views.values() if view.retry_at is not None}
        gauges |= {(gauge.kind, round(gauge.used, 2)) for gauge in runner.run_view.gauges}
    report = await running
    assert report.ok
    assert report.holds == ()
    moments = [moment for moment, _ in starts(tmp_path)]
    assert len([moment for moment in moments if moment < 4]) <= 6, "at about one a second"
    assert moments[-1] > 4, "eight of them do not fit into five percent"
    assert ("five_hour", 0.99) in gauges
    assert reasons == {"waits for the pace of claude"}
    near = [event.data for event in told if event.kind is EventKind.LIMIT_NEAR]
    assert [data["limit"] for data in near] == ["five_hour"] * len(near)
    assert [data["next_start_at"] for data in near if data["next_start_at"] is not None]
    assert not [event for event in told if event.kind in (EventKind.TASK_RETRYING, EventKind.LIMIT_REACHED)]


async def test_two_runs_share_the_pace(tmp_path: Path) -> None:
    """A run that has asked nobody yet knows what another one's agents have told, and they take turns."""
    folders = [tmp_path / name for name in ("one", "two", "account")]
    for folder in folders:
        folder.mkdir()
    path = limits_path()
    assert path is not None
    first, second = (gauged(folder, folders[2], 6.0) for folder in folders[:2])
    running = [asyncio.create_task(first.run())]
    while not path.exists() or not json.loads(path.read_text())["gauges"]:
        await asyncio.sleep(0.01)
    running.append(asyncio.create_task(second.run()))
    reports = await asyncio.gather(*running)
    assert all(report.ok for report in reports)
    moments = [moment for moment, _ in starts(folders[2])]
    assert len(moments) == 16
    assert len([moment for moment in moments if moment < 4]) <= 7, "two runs by themselves would start twice as many"
