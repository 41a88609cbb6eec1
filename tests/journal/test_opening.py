"""Files that are no journal of ours, places where none can be, and who may see what we make."""

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nova_async.errors import JournalError
from nova_async.journal.lock import RunLock
from nova_async.journal.reader import JournalReader
from nova_async.journal.schema import SCHEMA_VERSION
from nova_async.journal.store import Journal
from tests.journal.making import PLAN, end, run, start


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """Give a folder that we may read but not write; root, who may write anywhere, becomes somebody else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        if os.geteuid() == 0:
            os.seteuid(65534)
            yield folder
            os.seteuid(0)
        else:
            yield folder
            folder.chmod(0o755)


async def refusal(path: Path) -> str:
    """Return why a journal cannot be opened; everything is closed again, or the hunt for leaks would tell."""
    with pytest.raises(JournalError) as caught:
        await Journal.open(path)
    return str(caught.value)


async def test_a_newer_journal(journal: Journal, path: Path) -> None:
    """A journal of a later version is refused, by writers and readers, and stays as it is."""
    await journal.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    formats = f"format {SCHEMA_VERSION + 1}; this version reads up to {SCHEMA_VERSION}"
    sentence = f"{path} was written by a newer nova ({formats}): upgrade nova"
    assert (await refusal(path)).startswith(sentence)
    with pytest.raises(JournalError, match="upgrade nova"):
        JournalReader(path).runs()
    assert path.read_bytes() == before


async def test_another_programs_database(path: Path) -> None:
    """A database that is none of ours gets no tables of ours."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    assert "is another program's database: choose another path" in await refusal(path)
    assert path.read_bytes() == before


async def test_no_database_at_all(path: Path) -> None:
    """A file of another kind is refused, not overwritten."""
    path.parent.mkdir()
    path.write_text("dear diary " * 100)
    assert f"{path} is not a nova journal, or is damaged (file is not a database): move it and" in await refusal(path)
    with pytest.raises(JournalError, match="is not a nova journal, or is damaged"):
        JournalReader(path).runs()
    assert path.read_text().startswith("dear diary")


async def test_a_damaged_journal(journal: Journal, path: Path) -> None:
    """Where pages are overwritten, nobody opens the journal; the error says what to do, and the file is closed."""
    for number in range(1, 200):
        await journal.begin_attempt(start(number=number))
    await journal.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="move it and its -wal file away"):
        JournalReader(path).history(PLAN)
    assert "move it and its -wal file away" in await refusal(path)


async def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A path below a file is told by name."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / ".nova" / "journal.db"
    assert await refusal(path) == (
        f"{path} cannot be used (Not a directory): check the permissions of the file and its folder,"
        " or choose another path for the journal"
    )
    with pytest.raises(JournalError, match=r"Not a directory"):
        RunLock(path).open()


async def test_a_folder_where_the_journal_should_be(path: Path) -> None:
    """A folder of that name is told to whoever writes or reads."""
    path.mkdir(parents=True)
    assert f"{path}: it is a folder, in the place of a file of nova's journal: remove it" in await refusal(path)
    with pytest.raises(JournalError, match="it is a folder"):
        JournalReader(path).runs()


async def test_a_folder_of_somebody_else(foreign_folder: Path) -> None:
    """Where nothing may be written, both the journal and the lock say so."""
    path = foreign_folder / "journal.db"
    assert f"{path} cannot be used (Permission denied)" in await refusal(path)
    with pytest.raises(JournalError, match="Permission denied"):
        RunLock(path).open()


async def test_a_journal_is_private(journal: Journal, path: Path) -> None:
    """Errors of agents may hold secrets: only the owner can read them, and no commit takes them along."""
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir() if file.name != ".gitignore"}
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}
    assert (path.parent / ".gitignore").read_text().splitlines()[-1] == "*"


async def test_a_folder_of_the_users_stays_as_it_is(tmp_path: Path) -> None:
    """A journal among somebody's own files hides none of them from git."""
    (tmp_path / "README.md").touch()
    with RunLock(tmp_path / "journal.db"):
        await (await Journal.open(tmp_path / "journal.db")).close()
    assert not (tmp_path / ".gitignore").exists()


async def test_odd_paths(tmp_path: Path) -> None:
    """A path may hold whatever a path may hold."""
    path = tmp_path / "a b?mode=ro#%41\udce4" / "journal.db"
    journal = await Journal.open(path)
    assert JournalReader(path).runs() == []
    await journal.close()
    assert JournalReader(path).runs() == []


async def test_a_link_stays_a_link(journal: Journal, path: Path, tmp_path: Path) -> None:
    """A journal that is reached through a link is the same journal."""
    await journal.close()
    (tmp_path / "link.db").symlink_to(path)
    linked = await Journal.open(tmp_path / "link.db")
    await linked.begin_attempt(start())
    assert list(JournalReader(tmp_path / "link.db").latest(PLAN)) == ["F1"]
    await linked.close()
    assert list(JournalReader(path).latest(PLAN)) == ["F1"]
    assert (tmp_path / "link.db").is_symlink()


async def test_two_writers_take_turns(journal: Journal, path: Path) -> None:
    """`nova retry` and the like may write a journal that another process has open."""
    other = await Journal.open(path)
    await journal.begin_attempt(start())
    await journal.end_attempt(end())
    await other.reset(PLAN, ["F1"])
    assert not (await journal.history(PLAN)).attempts["F1"][0].counts
    await other.close()
    await journal.begin_attempt(start("F2"))
    assert list(JournalReader(path).latest(PLAN)) == ["F1", "F2"]


async def test_opening_at_the_same_time(path: Path) -> None:
    """Eight who open a journal that does not exist yet all get the same one."""
    journals = await asyncio.gather(*(Journal.open(path) for _ in range(8)))
    for number, journal in enumerate(journals):
        await journal.begin_run(run(f"r{number}"))
    assert len((await journals[0].history(PLAN)).runs) == 8
    await asyncio.gather(*(journal.close() for journal in journals))


async def test_opening_waits_for_whoever_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for the switch to a write-ahead log, for which SQLite does not wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waited: list[float] = []

        def done_meanwhile(seconds: float) -> None:
            waited.append(seconds)
            other.execute("COMMIT")

        monkeypatch.setattr(time, "sleep", done_meanwhile)
        await (await Journal.open(path)).close()
        assert len(waited) == 1


async def test_a_cancelled_opening_leaves_nothing(path: Path) -> None:
    """Whoever is cancelled while a journal opens gets his cancellation, and the file is closed by then."""
    for turns in range(6):
        opening = asyncio.create_task(Journal.open(path))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not path.with_name("journal.db-wal").exists()


async def test_a_commit_goes_to_the_disk(journal: Journal) -> None:
    """Every commit is synced, and others may read meanwhile: no power cut takes what was acknowledged."""

    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("synchronous", "journal_mode", "fullfsync", "foreign_keys", "trusted_schema")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await journal._written(pragmas) == [2, "wal", 1, 1, 0]


async def test_a_new_journal_has_a_name_that_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is on the disk before anything in it is promised."""
    path = tmp_path / "journal.db"
    synced: list[tuple[bool, int]] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((path.exists(), os.fstat(descriptor).st_ino))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    journal = await Journal.open(path)
    await journal.close()
    assert (True, tmp_path.stat().st_ino) in synced
