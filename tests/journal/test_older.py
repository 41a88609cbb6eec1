"""Journals of an older nova are brought up to date by the next run, and read as they are by everybody else."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nova_async.errors import JournalError
from nova_async.journal.history import History
from nova_async.journal.reader import JournalReader
from nova_async.journal.schema import MADE_LATER, SCHEMA_VERSION, TABLES
from nova_async.journal.store import Journal
from nova_async.records import Attempt, AttemptId, AttemptStart, Event, LogRef
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome, Phase, RunEnd, UsageSource
from tests.journal.making import NOON, OTHER_PLAN, PLAN, full_end, full_start, moment, run, start

DATA = Path(__file__).with_name("data")
# What only journals since format 3 know of the end of an attempt.
LATER_THAN_2 = {
    "usage_source": UsageSource.NONE, "estimated_usd": None, "limit_kind": None, "limit_resets_at": None,
    "retry_after": None,
}  # fmt: skip


def made_from(sql: str, path: Path) -> Path:
    """Make a journal as an older nova did."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript((DATA / sql).read_text())
        database.execute("PRAGMA journal_mode = WAL")
    return path


@pytest.fixture
def old(path: Path) -> Path:
    """Make a journal as the first format was."""
    return made_from("version_1.sql", path)


def check(history: History, others: History) -> None:
    """Compare what is known of both plans with what was written."""
    assert [each.run_id for each in history.runs] == ["r1", "r2"]
    assert history.runs[0] == run(started_at=NOON)
    assert [each.run_id for each in others.runs] == ["r3"]
    assert others.runs == history.unfinished_runs == (run("r3", OTHER_PLAN, started_at=moment(200)),)
    assert history.milestones == {"half": moment(120)}
    assert others.milestones == {"start": moment(203)}
    assert {task_id: len(found) for task_id, found in history.attempts.items()} == {"F1": 3, "F2": 1, "F3": 1}
    check_attempts(history, others)


def check_attempts(history: History, others: History) -> None:
    """Compare the attempts of both plans."""
    first, second, third = history.attempts["F1"]
    assert [each.counts for each in (first, second, third)] == [False, True, True]
    assert second.start == start("F1", 2, "r2", started_at=moment(101), log_path="logs/F1.log")
    assert (second.pid, second.pid_start_time, second.cookie, second.finished) == (4712, 199.25, None, None)
    new_fields = {**LATER_THAN_2, "result": None, "denied": (), "log_error": None, "log": LogRef(path="logs/F1~2.log")}
    assert second.end == full_end("F1", 2, "r2", ended_at=moment(107), **new_fields)
    assert third.end is not None
    assert (third.end.outcome, third.end.phase, third.end.usage) == (Outcome.OK, Phase.SETTLE, TokenUsage(10, 20))
    assert third.end.log == LogRef(path="logs/F1.log")
    (never_began,), (not_verified,) = history.attempts["F2"], history.attempts["F3"]
    assert never_began.start.log_path == "logs/\udce4.log"
    assert never_began.end is not None
    assert (never_began.end.phase, never_began.end.log) == (Phase.PREPARE, None)
    assert not_verified.end is not None
    assert not_verified.end.phase == Phase.VERIFY
    assert [each.start.id.number for each in others.attempts["F1"]] == [4]
    assert others.attempts["F2"] == (
        Attempt(
            start=AttemptStart(
                id=AttemptId("r3", "F2", 2),
                plan=OTHER_PLAN,
                started_at=moment(204),
                agent="claude",
                prompt_digest="abc",
                log_path="logs/F2.log",
            ),
            pid=4713,
            pid_start_time=299.25,
        ),
    )


EVENTS = [
    Event(kind=EventKind.RUN_STARTED, at=NOON, data={"run_id": "r1", "project": "Shop"}, number=1, run_id="r1"),
    Event(
        kind=EventKind.ATTEMPT_STARTED,
        at=moment(1),
        task_id="F1",
        data={"attempt": 1, "pid": 4711},
        number=2,
        run_id="r1",
    ),
    Event(
        kind=EventKind.TASK_COMPLETED,
        at=moment(121),
        task_id="F1",
        data={"attempt": 3, "odd": "\udcff", "path": "a"},
        number=3,
        run_id="r2",
    ),
]


def test_it_is_read_as_it_is(old: Path) -> None:
    """A reader understands all of an older journal, and changes nothing of it."""
    before = {file.name: file.read_bytes() for file in old.parent.iterdir()}
    reader = JournalReader(old)
    check(reader.history(PLAN), reader.history(OTHER_PLAN))
    assert reader.changes(0) == EVENTS
    assert [(each.start.run_id, each.end) for each in reader.runs()] == [
        ("r3", None), ("r2", RunEnd.COMPLETED), ("r1", RunEnd.FAILED),
    ]  # fmt: skip
    assert {file.name: file.read_bytes() for file in old.parent.iterdir()} == before


async def test_a_run_brings_it_up_to_date(old: Path) -> None:
    """Whoever opens it to write finds everything, can go on at once, and has opened it for good."""
    journal = await Journal.open(old)
    check(await journal.history(PLAN), await journal.history(OTHER_PLAN))
    assert JournalReader(old).changes(0) == EVENTS
    (lost,) = await journal.end_lost(moment(300))
    assert lost.start.id == AttemptId("r3", "F2", 2)
    await journal.end_run("r3", moment(300), RunEnd.LOST)
    await journal.begin_run(run("r4"))
    await journal.begin_attempt(start("F1", 4, "r4"))
    await journal.close()
    again = await Journal.open(old)
    assert [each.start.id.number for each in (await again.history(PLAN)).attempts["F1"]] == [1, 2, 3, 4]
    await again.close()
    with closing(sqlite3.connect(old)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {
        "runs", "attempts", "finished", "phases", "milestones", "events", "seal", "boots", "approvals", "planned",
        "sqlite_sequence",
    }  # fmt: skip


async def test_one_of_format_2_lacks_only_what_is_new(path: Path) -> None:
    """It is read as it is and converted by the next run; what it never knew has the default value."""
    made_from("version_2.sql", path)
    before = JournalReader(path).history(PLAN)
    after = await converted(path)
    ended, started = full_end(**LATER_THAN_2), replace(full_start(), account="", resumes=None)
    for history in (before, after):
        first, still_open = history.attempts["F1"][0], history.attempts["F2"][0]
        assert (first.start, first.end, first.finished) == (started, ended, ended)
        assert still_open.start == start("F2")
    assert before.attempts["F2"][0].end is None


CONTROL = "ALTER TABLE runs ADD COLUMN control TEXT"


@pytest.mark.parametrize("made_since", [(), (CONTROL,), (CONTROL, *MADE_LATER)])
async def test_one_of_format_3_lacks_no_attempt(path: Path, made_since: tuple[str, ...]) -> None:
    """All of it is read as it is and converted by the next run, also if it has some of format 4 already."""
    made_from("version_3.sql", path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in made_since:
            database.execute(statement)
    assert [each.control for each in JournalReader(path).runs()] == [None]
    before = JournalReader(path).history(PLAN)
    after = await converted(path)
    for history in (before, after):
        first, still_open = history.attempts["F1"][0], history.attempts["F2"][0]
        assert (first.start, first.end, first.finished) == (full_start(), full_end(), full_end())
        assert (still_open.start, history.approved) == (start("F2"), {})
    assert (before.planned, before.attempts["F2"][0].end) == (None, None)


@pytest.mark.parametrize("sql", ["version_1.sql", "version_2.sql", "version_3.sql"])
async def test_every_older_one_gets_all_that_a_new_one_has(path: Path, tmp_path: Path, sql: str) -> None:
    """Once it is converted it has each table and each column, so that nothing can fail for want of one."""
    made_from(sql, path)
    columns = []
    for journal in (path, tmp_path / "new" / "journal.db"):
        await (await Journal.open(journal, trusts=True)).close()
        columns.append(columns_of(journal))
    assert columns[0] == columns[1]


def columns_of(path: Path) -> set[tuple[str, str]]:
    """Return all columns, each with its table."""
    query = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    with closing(sqlite3.connect(path)) as database:
        return set(database.execute(query))


def test_a_format_never_changes() -> None:
    """Other tables are another format: a journal that already has this one's number would be taken for damaged."""
    assert (SCHEMA_VERSION, hashlib.sha256("\n".join(TABLES).encode()).hexdigest()[:12]) == (4, "33be642bbc95")


async def converted(path: Path) -> History:
    """Open a journal to write, write to it, and return what it then holds."""
    journal = await Journal.open(path, trusts=True)
    await journal.end_lost(moment(300))
    await journal.begin_run(run("r4"))
    await journal.begin_attempt(replace(full_start(), id=AttemptId("r4", "F1", 2)))
    await journal.end_attempt(full_end("F1", 2, "r4"))
    history = await journal.history(PLAN)
    await journal.close()
    assert history.attempts["F1"][1].end == full_end("F1", 2, "r4")
    return history


async def test_one_that_cannot_be_converted_stays_as_it_is(old: Path) -> None:
    """Where a stranger's rows cannot be taken over, nothing is changed and it is said what to do."""
    with closing(sqlite3.connect(old, isolation_level=None)) as database:
        database.execute("INSERT INTO runs VALUES (x'ff', x'ff', '', '', '', 1, 1, NULL, NULL)")
    before = old.read_bytes()
    with pytest.raises(JournalError, match="move it and its -wal file away"):
        await Journal.open(old)
    with pytest.raises(JournalError, match="move it and its -wal file away"):
        JournalReader(old).runs()
    assert old.read_bytes() == before


def test_a_journal_elsewhere(tmp_path: Path) -> None:
    """Beside a plan, and not in a `.nova` folder, its plans are named as seen from its own folder."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript((DATA / "version_1.sql").read_text())
    assert {each.start.plan for each in JournalReader(path).runs()} == {"CASCADE.md", "specs/002/tasks.md"}
