"""Readers: whatever state the files are in, nothing is made or changed, and a reader goes on from where it was."""

import gc
import math
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from nova_async.errors import JournalError
from nova_async.journal import writing
from nova_async.journal.history import Run
from nova_async.journal.reader import JournalReader, PhaseStart
from nova_async.journal.rows import END, EVENT, PROCESS, RUN, START
from nova_async.journal.schema import make_tables
from nova_async.journal.store import Journal
from nova_async.records import Attempt, AttemptEnd, AttemptStart
from nova_async.usage import Totals
from nova_async.words import EventKind, Phase, RunEnd
from tests.journal.making import (
    OTHER_PLAN,
    PLAN,
    attempt,
    end,
    event,
    full_end,
    full_start,
    moment,
    run,
    start,
)


def state_of(folder: Path) -> dict[str, tuple[int, bytes] | None]:
    """Return what lies in a folder, and when it was changed; of SQLite's scratch-pad only that it is there."""
    return {
        file.name: None if file.suffix == ".db-shm" else (file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.iterdir()
    }


def ask_everything(reader: JournalReader) -> None:
    """Ask every question once."""
    reader.runs()
    reader.attempts(PLAN)
    reader.tasks(PLAN)
    reader.used(reader.plans(), list)
    reader.latest(PLAN)
    reader.history(PLAN)
    reader.phases(attempt())
    reader.changes(0)
    reader.last_number()


async def test_runs_and_attempts(journal: Journal, path: Path) -> None:
    """Runs come newest first, attempts in the order in which they began, and the last of each task by itself."""
    await journal.end_run("r1", moment(1), RunEnd.FAILED)
    await journal.begin_run(run("r2"), fresh=True)
    await journal.begin_run(run("r3", OTHER_PLAN))
    for task_id, number in (("F2", 1), ("F1", 1), ("F2", 2)):
        await journal.begin_attempt(start(task_id, number))
    await journal.begin_attempt(start("F2", 9, "r3", plan=OTHER_PLAN))
    reader = JournalReader(path)
    runs = [
        Run(start=run("r3", OTHER_PLAN)),
        Run(start=run("r2"), fresh=True),
        Run(start=run(), ended_at=moment(1), end=RunEnd.FAILED),
    ]
    assert reader.runs() == runs
    assert reader.runs(limit=1) == runs[:1]
    assert [each.start.id for each in reader.attempts(PLAN)] == [attempt("F2"), attempt("F1"), attempt("F2", 2)]
    assert [each.start.id for each in reader.attempts(PLAN, "F2")] == [attempt("F2"), attempt("F2", 2)]
    assert {task_id: each.start.id.number for task_id, each in reader.latest(PLAN).items()} == {"F1": 1, "F2": 2}


async def test_what_attempts_used(journal: Journal, path: Path) -> None:
    """It is told of one after the other, so that memory does not grow with the journal; of open ones, too."""
    await journal.begin_run(run("r2", OTHER_PLAN))
    for number in range(1, 4):
        await journal.begin_attempt(start(number=number))
        await journal.end_attempt(full_end(number=number))
    await journal.begin_attempt(start("F2", 1, "r2", plan=OTHER_PLAN))

    def tell(attempts: Iterator[Attempt]) -> list[tuple[str, AttemptEnd | None, int]]:
        return [
            (each.start.id.task_id, each.end, sum(isinstance(held, AttemptStart) for held in gc.get_objects()))
            for each in attempts
        ]

    reader = JournalReader(path)
    assert reader.plans() == [OTHER_PLAN, PLAN]
    assert (reader.tasks(PLAN), reader.has_begun(PLAN), reader.has_begun("nobody's")) == (["F1"], True, False)
    gc.collect()
    held = sum(isinstance(held, AttemptStart) for held in gc.get_objects())
    told = reader.used(reader.plans(), tell)
    assert [task_id for task_id, _, _ in told] == ["F2", "F1", "F1", "F1"]
    assert max(count for _, _, count in told) - held <= 2
    whole, known = Totals(), Totals()
    for _, known_end, _ in told[1:]:
        assert known_end is not None
        known_end.add_to(known)
        full_end().add_to(whole)
    assert (told[0][1], known) == (None, whole)


async def test_phases(journal: Journal, path: Path) -> None:
    """Each phase keeps the moment of its beginning and what was last done in it."""
    await journal.begin_attempt(start())
    journal.note_phase(attempt(), Phase.RUN, moment(1), None)
    journal.note_phase(attempt(), Phase.RUN, moment(2), "reads a file")
    journal.note_phase(attempt(), Phase.VERIFY, moment(3), "pytest")
    await journal.end_attempt(end())
    assert JournalReader(path).phases(attempt()) == [
        PhaseStart(Phase.RUN, moment(1), "reads a file"),
        PhaseStart(Phase.VERIFY, moment(3), "pytest"),
    ]


async def test_a_reader_goes_on_from_where_it_was(journal: Journal, path: Path) -> None:
    """Events come back typed, in order, each once, with numbers that only grow."""
    reader = JournalReader(path)
    assert (reader.changes(0), reader.last_number()) == ([], 0)
    journal.record(event(task_id="F1", data={"cost": 0.5, "path": Path("a"), "odd": "\udcff"}))
    await journal.begin_run(run("r2"))
    journal.record(event(EventKind.RUN_ENDED, 2))
    journal.record(event(EventKind.WARNING, 3, run_id="r1"))
    await journal.history(PLAN)
    first, second, third = reader.changes(0)
    assert (first.run_id, first.at, first.kind, first.task_id) == ("r1", moment(1), EventKind.TASK_COMPLETED, "F1")
    assert first.data == {"cost": 0.5, "path": "a", "odd": "\udcff"}
    assert (second.run_id, third.run_id) == ("r2", "r1")
    assert 0 < first.number < second.number < third.number == reader.last_number()
    assert reader.changes(first.number, limit=1) == [second]
    assert reader.changes(second.number) == [third]
    assert reader.changes(third.number) == []


async def test_a_number_is_never_used_again(journal: Journal, path: Path) -> None:
    """Even where events were deleted, a later one is later to every reader."""
    journal.record(event())
    await journal.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM events")
        database.commit()
    again = await Journal.open(path)
    again.record(event())
    await again.close()
    assert [each.number for each in JournalReader(path).changes(0)] == [2]


async def test_reading_makes_nothing(journal: Journal, path: Path) -> None:
    """A reader leaves nothing behind and changes nothing: beside a writer, beside a closed journal, where none is."""
    await journal.begin_attempt(start())
    reader = JournalReader(path)
    before = state_of(path.parent)
    ask_everything(reader)
    assert state_of(path.parent) == before
    await journal.close()
    before = state_of(path.parent)
    ask_everything(reader)
    assert list(reader.latest(PLAN)) == ["F1"]
    assert state_of(path.parent) == before
    nowhere = path.parent / "not" / "journal.db"
    with pytest.raises(JournalError, match="does not exist: nothing has been run here yet"):
        JournalReader(nowhere).runs()
    assert not nowhere.parent.exists()


@pytest.mark.parametrize("ends", [("", "-wal", "-shm"), ("", "-wal")])
async def test_what_a_dead_writer_has_left(journal: Journal, path: Path, tmp_path: Path, ends: tuple[str, ...]) -> None:
    """The files of a writer that was killed are read as they lie, with or without the -shm file, and stay so."""
    await journal.begin_attempt(start())
    (tmp_path / "left").mkdir()
    left = tmp_path / "left" / "journal.db"
    for ending in ends:
        shutil.copyfile(f"{path}{ending}", f"{left}{ending}")
    before = state_of(left.parent)
    reader = JournalReader(left)
    ask_everything(reader)
    assert list(reader.latest(PLAN)) == ["F1"], "it stands in the -wal file alone"
    assert state_of(left.parent) == before


async def test_a_journal_that_has_just_been_made(path: Path) -> None:
    """An empty file, as a writer leaves it for an instant, is no damage."""
    path.parent.mkdir()
    path.touch()
    with pytest.raises(JournalError, match="nothing has been run here yet"):
        JournalReader(path).runs()
    journal = await Journal.open(path)
    assert JournalReader(path).runs() == []
    await journal.close()


async def test_reading_while_journals_come_and_go(path: Path) -> None:
    """Whatever a writer does at that moment, opening, writing, closing, a reader gets a whole answer."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    await journal.close()
    stop, found, wrong = threading.Event(), [0], []

    def read() -> None:
        while not stop.is_set():
            try:
                seen = JournalReader(path).last_number()
                if seen < found[-1]:
                    wrong.append(f"{seen} after {found[-1]}")
                found.append(seen)
            except JournalError as error:
                wrong.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(30):
            again = await Journal.open(path)
            again.record(event())
            await again.close()
    finally:
        stop.set()
        reader.join()
    assert wrong == []
    assert JournalReader(path).last_number() == 30


COLUMNS = {
    "runs": [*(column.name for column in RUN), "fresh", "ended_at", "how"],
    "attempts": [column.name for column in (*START, *PROCESS, *END) if column.name not in ("run_id", "plan")],
    "finished": [column.name for column in END],
    "phases": ["phase", "at", "activity"],
    "milestones": ["milestone_id", "reached_at"],
    "events": [column.name for column in EVENT],
}
NONSENSE = some.one_of(
    some.none(), some.integers(-(2**63), 2**63 - 1), some.floats(), some.text(max_size=5), some.binary(max_size=5),
    some.sampled_from(["{}", "[]", "[[1]]", '{"a": 1}', '{"a": ["b"]}', "[" * 9999, "9" * 9999, b"\xff", "2030-01-02"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def full_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a journal with a row in every table; in this thread, for a fixture of a module has no loop."""
    path = tmp_path_factory.mktemp("full") / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        make_tables(database)
        for write in (
            writing.run_start(run(), False),
            writing.attempt_start(full_start()),
            writing.phase(attempt(), Phase.RUN, moment(1), "reads"),
            writing.agent_end(full_end()),
            writing.attempt_end(full_end()),
            writing.milestone(PLAN, "half", moment(1)),
            writing.event(event()),
        ):
            write(database)
    return path


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.data())
def test_nonsense_in_rows(full_journal: Path, data: some.DataObject) -> None:
    """Whatever a stranger has put into a column, a reader answers or says that it is no journal of ours."""
    table = data.draw(some.sampled_from(sorted(COLUMNS)))
    column = data.draw(some.sampled_from(COLUMNS[table]))
    nonsense = data.draw(NONSENSE)
    with closing(sqlite3.connect(full_journal, isolation_level=None)) as database:
        (before,) = database.execute(f"SELECT {column} FROM {table}").fetchone()
        try:
            database.execute(f"UPDATE {table} SET {column} = ?", (nonsense,))
        except sqlite3.IntegrityError:
            return
    said = None
    try:
        ask_everything(JournalReader(full_journal))
    except JournalError as error:
        said = str(error)
    finally:
        with closing(sqlite3.connect(full_journal, isolation_level=None)) as database:
            database.execute(f"UPDATE {table} SET {column} = ?", (before,))
    assert said is None or (str(full_journal) in said and "move it and its -wal file away" in said)


def test_a_full_journal_is_read(full_journal: Path) -> None:
    """The journal of the test above is good as long as nobody spoils it."""
    (known,) = JournalReader(full_journal).attempts(PLAN)
    assert (known.start, known.finished, known.end) == (full_start(), full_end(), full_end())


async def test_nonsense_meets_a_writer(journal: Journal, path: Path) -> None:
    """A writer that reads what a stranger has written says the same, and goes on with everything else."""
    await journal.begin_attempt(start())
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE attempts SET limits = 'none', started_at = 'soon'")
    for question in (journal.history(PLAN), journal.end_lost(moment(1))):
        with pytest.raises(JournalError, match=r"contains data that nova did not write .*: move it and"):
            await question
    await journal.begin_attempt(start("F2"))
    assert await journal.history(OTHER_PLAN) is not None


@pytest.mark.parametrize(
    ("column", "nonsense"),
    [
        ("duration_seconds", math.inf),
        ("cost_usd", -math.inf),
        ("pid_start_time", math.inf),
        ("limits", '{"timeout": 1e999}'),
    ],
)
def test_values_that_nobody_can_use(full_journal: Path, column: str, nonsense: object) -> None:
    """An infinite time has the right type, but would stop the run that has to use it."""
    with closing(sqlite3.connect(full_journal, isolation_level=None)) as database:
        (before,) = database.execute(f"SELECT {column} FROM attempts").fetchone()
        database.execute(f"UPDATE attempts SET {column} = ?", (nonsense,))
    try:
        with pytest.raises(JournalError, match="contains data that nova did not write"):
            JournalReader(full_journal).history(PLAN)
    finally:
        with closing(sqlite3.connect(full_journal, isolation_level=None)) as database:
            database.execute(f"UPDATE attempts SET {column} = ?", (before,))
