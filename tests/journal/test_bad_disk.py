"""Full disks, locked files: who waits is told and may call again, and nothing acknowledged is lost."""

import asyncio
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nova_async.errors import JournalError
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from tests.journal.making import PLAN, end, event, full_end, run, start
from tests.journal.test_group_commit import busy


@contextmanager
def no_room() -> Iterator[None]:
    """Let this process write nothing to any file, for a while."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 400 KiB; only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_a_disk_that_takes_nothing(journal: Journal) -> None:
    """Everyone who waits gets the system's words, each his own; with room again, the same calls succeed."""
    await journal.begin_attempt(start())
    journal.record(event())
    with no_room():
        calls = [journal.finish_agent(end()), journal.end_attempt(end()), journal.begin_attempt(start("F2"))]
        results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        assert isinstance(result, JournalError)
        assert f"{journal.path} cannot be written (disk I/O error): free some disk space" in str(result)
    assert len({id(result) for result in results}) == 3
    await asyncio.gather(journal.finish_agent(end()), journal.end_attempt(end()), journal.begin_attempt(start("F2")))
    history = await journal.history(PLAN)
    assert [each.end for each in history.attempts["F1"]] == [end()]
    assert list(history.attempts) == ["F1", "F2"]
    assert len(JournalReader(journal.path).changes(0)) == 1, "what nobody waits for is kept, and is written once"


async def test_what_nobody_waits_for_is_tried_again(path: Path) -> None:
    """With nobody who waits, trouble is told once, and what was kept is written when there is room again."""
    told: list[str] = []
    journal = await Journal.open(path, on_trouble=told.append)
    await journal.begin_run(run())
    async with asyncio.timeout(30):
        with no_room():
            journal.record(event())
            while not told:
                await asyncio.sleep(0.01)
        journal.record(event(seconds=2))
        while JournalReader(path).last_number() < 2:
            await asyncio.sleep(0.01)
    assert told == [f"{path} cannot be written (disk I/O error): free some disk space, or check the disk"]
    await journal.close()


async def test_what_is_tried_again_keeps_its_order(path: Path) -> None:
    """Events that could not be written come before those that were put down meanwhile."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    with no_room():
        journal.record(event(data={"number": 1}))
        with pytest.raises(JournalError):
            async with busy(journal):  # in the transaction that is going to fail, with the first event
                journal.record(event(data={"number": 2}))
        journal.record(event(data={"number": 3}))
    await journal.close()
    assert [each.data["number"] for each in JournalReader(path).changes(0)] == [1, 2, 3]


async def test_trouble_is_told_once(path: Path) -> None:
    """While a disk stays full, what is wrong is said once, and again only after it had been well."""
    told: list[str] = []
    journal = await Journal.open(path, on_trouble=told.append)
    await journal.begin_run(run())
    for times in (1, 2):
        with no_room():
            for task_id in ("T1", "T2", "T3"):
                with pytest.raises(JournalError):
                    await journal.begin_attempt(start(task_id))
        await journal.begin_attempt(start(f"well{times}"))
        assert len(told) == times
    await journal.close()


async def test_a_full_disk(small_disk: Path) -> None:
    """On a disk that is full, what was acknowledged stays readable; with room again, all goes on."""
    path = small_disk / ".nova" / "journal.db"
    journal = await Journal.open(path)
    await journal.begin_run(run())
    (small_disk / "filler").write_bytes(bytes(100_000))
    acknowledged: list[str] = []
    with pytest.raises(JournalError, match=r"cannot be written \(.*\): free some disk space"):  # noqa: PT012 - it fails somewhere
        for number in range(10_000):
            await journal.begin_attempt(start(f"T{number}"))
            acknowledged.append(f"T{number}")
            await journal.end_attempt(full_end(f"T{number}", result="x" * 5000))
    assert len(acknowledged) > 2
    assert set(JournalReader(path).latest(PLAN)) >= set(acknowledged)
    (small_disk / "filler").unlink()
    await journal.end_attempt(full_end(acknowledged[-1]))
    await journal.close()
    latest = JournalReader(path).latest(PLAN)
    assert set(latest) >= set(acknowledged)
    assert all(latest[task_id].end is not None for task_id in acknowledged)


async def test_a_disk_that_is_full_at_the_beginning(small_disk: Path) -> None:
    """Where there is no room for a journal at all, opening says so and leaves nothing open."""
    (small_disk / "filler").write_bytes(bytes(380_000))
    with pytest.raises(JournalError, match="free some disk space"):
        await Journal.open(small_disk / ".nova" / "journal.db")


async def test_taken_away_on_a_full_disk(small_disk: Path) -> None:
    """Where the journal is taken away and cannot be written again, nothing is acknowledged until there is room."""
    path = small_disk / ".nova" / "journal.db"
    journal = await Journal.open(path)
    await journal.begin_run(run())
    await journal.begin_attempt(start())
    path.unlink()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):  # noqa: PT012 - until then
        while True:
            file.write(bytes(4096))
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with pytest.raises(JournalError, match="free some disk space"):
        await journal.end_attempt(end())
    filler.unlink()
    await journal.end_attempt(end())
    await journal.close()
    assert [each.end for each in JournalReader(path).attempts(PLAN)] == [end()]


async def test_a_locked_file(journal: Journal, path: Path) -> None:
    """A file that another process does not let go is told to those who wait, and the loop goes on meanwhile."""
    await journal._written(lambda connection: connection.execute("PRAGMA busy_timeout = 300").close())
    journal.record(event())
    turns = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        beginning = asyncio.create_task(journal.begin_attempt(start()))
        while not beginning.done():
            await asyncio.sleep(0.001)
            turns += 1
        with pytest.raises(JournalError, match=r"is locked by another process .*: wait for it to finish or stop it"):
            await beginning
        other.execute("ROLLBACK")
    assert turns > 20
    await journal.begin_attempt(start())
    assert JournalReader(path).last_number() == 1


async def test_closing_on_a_full_disk(path: Path) -> None:
    """What could not be written is told at the end, and the file is closed all the same."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    journal.record(event())
    with no_room(), pytest.raises(JournalError, match="disk I/O error"):
        await journal.close()
    with pytest.raises(JournalError, match="disk I/O error"):
        await journal.close()


async def test_closing_after_trouble_that_was_told(path: Path) -> None:
    """Whoever was told that his record failed is not told once more by closing."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    with no_room(), pytest.raises(JournalError):
        await journal.begin_attempt(start())
    await journal.close()
    assert len(JournalReader(path).runs()) == 1
