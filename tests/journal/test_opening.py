"""Files that are no journal of ours, places where none can be, and readers that change nothing."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nova_async.journal.errors import JournalError
from nova_async.journal.journal import Journal
from nova_async.journal.lock import RunLock
from tests.journal.making import start


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
        database.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    sentence = f"{path} was written by a newer nova (its format is 2, this nova knows 1): upgrade nova"
    assert (await refusal(path)).startswith(sentence)
    with pytest.raises(JournalError, match="upgrade nova"):
        await Journal.read(path)
    assert path.read_bytes() == before


async def test_another_programs_database(path: Path) -> None:
    """A database that is none of ours gets no tables of ours."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE songs (title)")
    before = path.read_bytes()
    assert "is the database of another program: choose another place" in await refusal(path)
    assert path.read_bytes() == before


async def test_no_database_at_all(path: Path) -> None:
    """A file of another kind is refused, not overwritten."""
    path.parent.mkdir()
    path.write_text("dear diary " * 100)
    assert f"{path} is no journal or is damaged (file is not a database): move it away" in await refusal(path)
    with pytest.raises(JournalError, match="is no journal or is damaged"):
        await Journal.read(path)
    assert path.read_text().startswith("dear diary")


async def test_a_damaged_journal(journal: Journal, path: Path) -> None:
    """Where pages are overwritten, the error says what to do, and the file is closed properly."""
    for number in range(1, 200):
        await journal.begin_attempt(start(number=number))
    await journal.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(JournalError, match="move it away"):
        await Journal.read(path)
    damaged = await Journal.open(path)
    with pytest.raises(JournalError, match="move it away"):
        await damaged.history()
    await damaged.close()


async def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A path below a file is told by name."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / ".nova" / "journal.db"
    assert await refusal(path) == (
        f"{path} cannot be used (Not a directory): check the permissions of the file and its folder,"
        " or choose another place for the journal"
    )
    with pytest.raises(JournalError, match=r"Not a directory"):
        RunLock(path.with_name("lock")).open()


async def test_a_folder_of_somebody_else(foreign_folder: Path) -> None:
    """Where nothing may be written, both the journal and the lock say so."""
    path = foreign_folder / "journal.db"
    assert f"{path} cannot be used (Permission denied)" in await refusal(path)
    with pytest.raises(JournalError, match="Permission denied"):
        RunLock(foreign_folder / "lock").open()


async def test_a_journal_is_private(journal: Journal, path: Path) -> None:
    """Errors of agents may hold secrets: only the owner can read them."""
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600
    }  # fmt: skip


async def test_reading_makes_nothing(journal: Journal, path: Path) -> None:
    """A reader leaves no file behind: not where nothing is, not beside a closed journal."""
    await journal.begin_attempt(start())
    assert list((await Journal.read(path)).attempts) == ["F1"]
    await journal.close()
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    assert list((await Journal.read(path)).attempts) == ["F1"]
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before
    nowhere = path.parent / "not" / "journal.db"
    with pytest.raises(JournalError, match="does not exist: nothing has been run here yet"):
        await Journal.read(nowhere)
    assert not nowhere.parent.exists()


async def test_a_journal_that_has_just_been_made(path: Path) -> None:
    """An empty file, as a writer leaves it for an instant, is no damage."""
    path.parent.mkdir()
    path.touch()
    with pytest.raises(JournalError, match="nothing has been run here yet"):
        await Journal.read(path)
    journal = await Journal.open(path)
    assert (await Journal.read(path)).runs == ()
    await journal.close()


async def test_odd_paths(tmp_path: Path) -> None:
    """A path may hold whatever a path may hold."""
    path = tmp_path / "a b?mode=ro#%41\udce4" / "journal.db"
    journal = await Journal.open(path)
    assert (await Journal.read(path)).runs == ()
    await journal.close()
    assert (await Journal.read(path)).runs == ()


async def test_two_writers_take_turns(journal: Journal, path: Path) -> None:
    """`nova retry` and the like may write a journal that another process has open."""
    other = await Journal.open(path)
    await journal.begin_attempt(start())
    await other.reset(["F1"])
    assert (await journal.history()).counted == {}
    await other.close()
