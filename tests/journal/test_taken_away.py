"""A journal that is taken away under a run, whichever way: it is noticed, told and written again, and loses nothing."""

import asyncio
import random
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nova_async.errors import JournalError, RunLockedError
from nova_async.journal.lock import RunLock
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from tests.children import program
from tests.journal.making import PLAN, end, event, run, start
from tests.journal.test_kill import missing


class Troubled:
    """A journal of a run that holds its lock, and what it told."""

    def __init__(self, path: Path, journal: Journal, told: "asyncio.Queue[str]") -> None:
        self.path = path
        self.journal = journal
        self.told = told

    async def trouble(self) -> str:
        """Wait for what is told next."""
        async with asyncio.timeout(20):
            return await self.told.get()


@contextmanager
def writer(path: Path, run_id: str) -> Iterator[tuple["subprocess.Popen[str]", Iterator[str]]]:
    """Have another process write this journal, until it is killed; gives what it prints, which must not end before."""

    def lines() -> Iterator[str]:
        assert process.stdout is not None
        while line := process.stdout.readline():
            yield line

    with subprocess.Popen(program("journal_writer", path, run_id), stdout=subprocess.PIPE, text=True) as process:
        yield process, lines()
        process.kill()
        process.wait()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a journal that does not exist yet, in the folder of a project."""
    return tmp_path / "project" / ".nova" / "journal.db"


@pytest.fixture
async def troubled(path: Path) -> AsyncIterator[Troubled]:
    """Open a journal, with its lock, in which an attempt has ended and another one runs."""
    told: asyncio.Queue[str] = asyncio.Queue()
    with RunLock(path) as lock:
        journal = await Journal.open(path, lock=lock, on_trouble=told.put_nowait)
        await journal.begin_run(run())
        await journal.begin_attempt(start("F1"))
        await journal.end_attempt(end("F1"))
        await journal.begin_attempt(start("F2"))
        yield Troubled(path, journal, told)
        await journal.close()


def open_files() -> int:
    """Count the open descriptors of this process."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


def remove_folder(path: Path) -> None:
    """Remove all that nova has, as a person or an agent would."""
    subprocess.run(["rm", "-rf", str(path.parent)], check=False, stderr=subprocess.DEVNULL)


def clean(path: Path) -> None:
    """Remove what git does not know and what it ignores."""
    project = path.parent.parent
    subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "-q", str(project)], check=True)
    subprocess.run(["git", "-C", str(project), "clean", "-fdxq"], check=False, stderr=subprocess.DEVNULL)


def rename_folder(path: Path) -> None:
    """Move the folder away."""
    path.parent.rename(path.parent.with_name("elsewhere"))


def rename_project(path: Path) -> None:
    """Move all of the project away."""
    path.parent.parent.rename(path.parent.parent.with_name("elsewhere"))


def replace_file(path: Path) -> None:
    """Put another journal in its place, as whoever restores an old copy does."""
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    copy.replace(path)


def remove(ending: str) -> Callable[[Path], None]:
    """Remove one of its files."""
    return lambda path: path.with_name(path.name + ending).unlink()


WAYS = {
    "rm": remove_folder,
    "git clean": clean,
    "renamed folder": rename_folder,
    "renamed project": rename_project,
    "replaced": replace_file,
    "only the file": remove(""),
    "only its -wal": remove("-wal"),
    "only its -shm": remove("-shm"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_it_is_written_again_at_once(troubled: Troubled, way: Callable[[Path], None]) -> None:
    """Without anything being written, the loss is noticed; all is there again, locked again, and goes on."""
    path, journal = troubled.path, troubled.journal
    before = await journal.history(PLAN)
    way(path)
    told = await troubled.trouble()
    assert told.startswith(f"{path} was deleted or moved during this run and has been restored in full")
    async with asyncio.timeout(20):
        while JournalReader(path).history(PLAN) != before:
            await asyncio.sleep(0.01)  # `rm` may still be at it, and takes what was written again, too
    with pytest.raises(RunLockedError):
        RunLock(path).open()
    await journal.end_attempt(end("F2"))
    journal.record(event())
    await journal.close()
    assert all(attempt.end is not None for attempt in JournalReader(path).latest(PLAN).values())
    assert JournalReader(path).last_number() == 1
    assert sorted(file.suffix for file in path.parent.iterdir() if not file.name.endswith("~1")) == ["", ".db", ".lock"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_what_is_acknowledged_is_in_its_place(troubled: Troubled, way: Callable[[Path], None]) -> None:
    """Whoever is told that a record is durable finds it at the journal's place, though nobody watches."""
    assert troubled.journal._watch is not None
    troubled.journal._watch.close()  # as where the system has no watch left to give
    way(troubled.path)
    await troubled.journal.end_attempt(end("F2"))
    assert all(attempt.end is not None for attempt in JournalReader(troubled.path).latest(PLAN).values())
    assert "has been restored in full" in await troubled.trouble()


async def test_taken_away_in_the_middle_of_a_transaction(troubled: Troubled) -> None:
    """A journal that is removed while a record is written has that record in its place when the writer is told."""
    assert troubled.journal._watch is not None
    troubled.journal._watch.close()

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE runs SET project = 'changed'")
        shutil.rmtree(troubled.path.parent)

    await troubled.journal._written(write)
    (known,) = JournalReader(troubled.path).runs()
    assert known.start.project == "changed"


async def test_the_lock_alone(troubled: Troubled) -> None:
    """Whoever removes the lock's file lets nobody in: it is made and taken again at once."""
    troubled.path.with_name("journal.db.lock").unlink()
    told = await troubled.trouble()
    assert told == f"the lock file of {troubled.path} was removed during this run and has been recreated"
    with pytest.raises(RunLockedError):
        RunLock(troubled.path).open()


async def test_somebody_else_was_faster(path: Path) -> None:
    """Where another run has taken the place, this one says so and writes no more: both would run the same tasks."""
    told: list[str] = []
    with RunLock(path) as lock:
        journal = await Journal.open(path, lock=lock, on_trouble=told.append)
        await journal.begin_run(run())
        assert journal._watch is not None
        journal._watch.close()  # this run stands still, as in a suspended terminal
        shutil.rmtree(path.parent)
        with writer(path, "r9") as (other, lines):
            next(lines)
            sentence = rf"another nova run \(pid {other.pid}\) has started in its place: stop one of them"
            with pytest.raises(JournalError, match=sentence):
                await journal.begin_attempt(start("F2"))
            # It may have come back once, while the folder was being removed.
            assert f"(pid {other.pid})" in told[-1]
            journal.record(event())
            with pytest.raises(JournalError, match="is now in use by another run: stop this one"):
                await journal.begin_attempt(start("F3"))
        with pytest.raises(JournalError, match="is now in use by another run"):
            await journal.close()
    assert [each.run_id for each in JournalReader(path).history(PLAN).runs] == ["r9"], "its journal is untouched"


async def test_what_lies_in_its_place_is_kept(troubled: Troubled) -> None:
    """A file that somebody has put there meanwhile is moved aside, not overwritten."""
    other = troubled.path.with_name("other.db")
    other.write_text("dear diary")
    other.replace(troubled.path)
    assert (await troubled.trouble()).endswith("; the file found in its place is now journal.db~1")
    assert troubled.path.with_name("journal.db~1").read_text() == "dear diary"
    assert list(JournalReader(troubled.path).latest(PLAN)) == ["F1", "F2"]


async def test_no_descriptor_is_left(troubled: Troubled) -> None:
    """However often it is taken away, as many files are open afterwards as before."""
    before = open_files()
    for _ in range(20):
        shutil.rmtree(troubled.path.parent, ignore_errors=True)
        await troubled.trouble()
        await troubled.journal.history(PLAN)
        while not troubled.told.empty():
            troubled.told.get_nowait()
    async with asyncio.timeout(20):
        while open_files() != before:
            await asyncio.sleep(0.01)  # the last watch is made in the loop, a moment later
    assert troubled.path.exists()


async def test_a_place_that_cannot_be_made(troubled: Troubled) -> None:
    """Where it cannot be written again, whoever waits is told, and once it can, nothing is lost."""
    path, journal = troubled.path, troubled.journal
    journal.record(event())
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.touch()
    assert "cannot be used (File exists)" in await troubled.trouble()
    with pytest.raises(JournalError, match="cannot be used"):
        await journal.end_attempt(end("F2"))
    path.parent.unlink()
    await journal.end_attempt(end("F2"))
    assert "has been restored in full" in await troubled.trouble()
    await journal.history(PLAN)
    assert all(attempt.end is not None for attempt in JournalReader(path).latest(PLAN).values())
    assert JournalReader(path).last_number() == 1


async def test_what_fails_once_is_looked_at_before_the_next(troubled: Troubled) -> None:
    """Usually only after a write; so of the attempts that nobody was told to begin at most the first one is there."""
    path, journal = troubled.path, troubled.journal
    assert journal._watch is not None
    journal._watch.close()
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.touch()
    for task_id in ("F3", "F4", "F5"):
        with pytest.raises(JournalError, match="cannot be used"):
            await journal.begin_attempt(start(task_id))
    path.parent.unlink()
    await journal.begin_attempt(start("F6"))
    assert {"F1", "F2", "F6"} <= set(JournalReader(path).latest(PLAN)) <= {"F1", "F2", "F3", "F6"}


async def test_closing_puts_it_back(troubled: Troubled) -> None:
    """A journal that is taken away just before its end is there after it."""
    assert troubled.journal._watch is not None
    troubled.journal._watch.close()
    shutil.rmtree(troubled.path.parent)
    await troubled.journal.close()
    assert list(JournalReader(troubled.path).latest(PLAN)) == ["F1", "F2"]


async def test_a_storm(path: Path) -> None:
    """Removed again and again while it writes, and killed: what was told before the last removal is there."""
    chance = random.Random(3)
    with writer(path, "r1") as (process, lines):
        told = [next(lines) for _ in range(3)]
        for _ in range(15):
            remove_folder(path)
            told += [next(lines) for _ in range(chance.randrange(1, 30))]
        remove_folder(path)
        while not path.exists():  # what is read at first was told before
            told.append(next(lines))
        told += [next(lines) for _ in range(200)]
        process.kill()
        told += lines
    records = [line.split() for line in told if line.endswith("\n") and not line.startswith("trouble")]
    history = JournalReader(path).history(PLAN)
    assert missing([(what, which, int(number)) for what, which, number in records], path) == []
    assert len(history.runs) == 1
    assert any(line.startswith("trouble") for line in told)
