"""Whose journal it is: results that came with a repository do not count; those of one's own go wherever they may."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nova_async.errors import JournalError
from nova_async.journal import seal
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.records import LogRef
from tests.journal.making import end, full_end, run, start

REFUSED = r"journal\.db was not written by you on this machine, .* `nova run --trust-journal`"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a user who has no key yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    return tmp_path / "states"


async def write(path: Path) -> None:
    """Write a journal in which a task is completed."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    await journal.begin_attempt(start())
    await journal.end_attempt(end())
    await journal.close()


async def reopen(path: Path, *, trusts: bool = False) -> None:
    """Open a journal as a run does."""
    await (await Journal.open(path, trusts=trusts)).close()


def be_another_machine(home: Path, path: Path, tmp_path: Path) -> Path:
    """Give somebody else a copy, as a repository or an archive does; return where he has it."""
    copy = tmp_path / "clone" / ".nova" / "journal.db"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(path, copy)
    shutil.rmtree(home)
    return copy


async def test_one_that_came_with_a_repository(path: Path, home: Path, tmp_path: Path) -> None:
    """It is refused with the ways out, and not changed; accepted once, it is ours."""
    await write(path)
    copy = be_another_machine(home, path, tmp_path)
    before = copy.read_bytes()
    with pytest.raises(JournalError, match=REFUSED):
        await reopen(copy)
    with pytest.raises(JournalError, match=REFUSED):
        JournalReader(copy).require_ours()
    assert not JournalReader(copy).is_ours()
    assert (copy.read_bytes(), [file.name for file in copy.parent.iterdir() if file.name != ".gitignore"]) == (
        before, ["journal.db"],
    )  # fmt: skip
    await reopen(copy, trusts=True)
    assert JournalReader(copy).is_ours()
    await reopen(copy)


async def test_a_copy_of_ones_own(path: Path, tmp_path: Path) -> None:
    """A tree that is copied keeps its results, also several times over, by the user's key."""
    await write(path)
    for name in ("first", "second"):
        copy = tmp_path / name / "journal.db"
        copy.parent.mkdir()
        shutil.copyfile(path, copy)
        await reopen(copy)
        path = copy


async def test_without_a_home(path: Path, home: Path, tmp_path: Path) -> None:
    """In a container whose home is new each time, and where there is none, the file itself is known."""
    await write(path)
    shutil.rmtree(home)
    await reopen(path)
    moved = tmp_path / "moved.db"
    path.rename(moved)
    shutil.rmtree(home)
    home.touch()  # nothing can be kept there
    await reopen(moved)


async def test_a_container_and_its_host_take_turns(
    path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted once in the container, whose home is new each time, it stays both theirs, however often that is."""

    def be_the_container() -> None:
        monkeypatch.setattr(seal, "MACHINE", tmp_path / "none")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"container-{len(list(tmp_path.iterdir()))}"))

    def be_the_host() -> None:
        monkeypatch.setattr(seal, "MACHINE", tmp_path / "machine-id")
        monkeypatch.setenv("XDG_STATE_HOME", str(home))

    (tmp_path / "machine-id").write_text("host")
    be_the_host()
    await write(path)
    be_the_container()
    with pytest.raises(JournalError, match=REFUSED):
        await reopen(path)
    await reopen(path, trusts=True)
    for _ in range(2 * seal.MOST_SEALS):
        be_the_host()
        await reopen(path)
        be_the_container()
        await reopen(path)
    be_the_host()
    shutil.rmtree(home)
    await reopen(path)  # by its place
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM seal").fetchone() == (2,)


async def test_a_journal_that_everyone_accepts(path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a limited number of seals, and the latest always counts."""
    await write(path)
    for number in range(2 * seal.MOST_SEALS):
        monkeypatch.setattr(seal, "MACHINE", path.with_name(f"machine-{number}"))
        path.with_name(f"machine-{number}").write_text(str(number))
        shutil.rmtree(home)
        await reopen(path, trusts=True)
        await reopen(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM seal").fetchone() == (seal.MOST_SEALS,)


async def test_one_that_was_restored(path: Path, home: Path) -> None:
    """A journal that a run has written anew, because it was deleted, has another inode and is still ours."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    shutil.rmtree(home)
    home.touch()
    shutil.rmtree(path.parent)
    await journal.begin_attempt(start())
    await journal.close()
    await reopen(path)


async def test_one_of_an_older_nova(path: Path, home: Path, tmp_path: Path) -> None:
    """Without a seal it is known by its logs, whose inodes no repository can know; they are looked for only here."""
    log = path.parent.parent / "logs" / "F1.log"
    log.parent.mkdir()
    log.touch()
    journal = await Journal.open(path)
    await journal.begin_run(run())
    await journal.begin_attempt(start())
    status = log.stat()
    await journal.end_attempt(full_end(log=LogRef(path="logs/F1.log", device=status.st_dev, inode=status.st_ino)))
    await journal.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE seal")
    clone = be_another_machine(home, path, tmp_path)
    (clone.parent.parent / "logs").mkdir()
    (clone.parent.parent / "logs/F1.log").touch()
    with pytest.raises(JournalError, match=REFUSED):
        await reopen(clone)
    system = Path("/etc/passwd").stat()
    with closing(sqlite3.connect(clone)) as database:
        guess = {"path": "/etc/passwd", "device": system.st_dev, "inode": system.st_ino}
        database.execute("UPDATE attempts SET log = ?", (json.dumps(guess),))
        database.commit()
    with pytest.raises(JournalError, match=REFUSED):
        await reopen(clone)
    await reopen(path)
    assert JournalReader(path).is_ours()


@pytest.mark.parametrize("forged", [
    "UPDATE seal SET by_key = '', by_place = ''", "UPDATE seal SET by_key = NULL, by_place = NULL", "DELETE FROM seal",
    "UPDATE seal SET id = 'other'", "UPDATE seal SET by_key = 7, by_place = x'ff'", "UPDATE seal SET id = x'ff00'",
    "UPDATE seal SET by_key = by_place, by_place = by_key", "DROP TABLE seal", "UPDATE seal SET by_key = 'é\ud83d'",
    "DROP TABLE seal; CREATE TABLE seal (id TEXT)",
])  # fmt: skip
async def test_a_forged_seal(forged: str, path: Path, home: Path, tmp_path: Path) -> None:
    """Whatever stands in the place of a seal is no traceback, and not ours."""
    await write(path)
    copy = be_another_machine(home, path, tmp_path)
    with closing(sqlite3.connect(copy)) as database:
        database.executescript(forged.encode(errors="replace").decode())
    with pytest.raises(JournalError):
        await reopen(copy)
    with pytest.raises(JournalError):
        JournalReader(copy).require_ours()


async def test_a_view_that_never_ends(path: Path) -> None:
    """A journal cannot have a query that runs for ever: nova makes no views."""
    await write(path)
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x AS id, x AS by_key, x AS by_place FROM n"
    )
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"DROP TABLE seal; CREATE VIEW seal AS {endless}")
    with pytest.raises(JournalError, match="contains what nova did not write"):
        await reopen(path)
    with pytest.raises(JournalError, match="contains what nova did not write"):
        JournalReader(path).is_ours()


async def test_the_key_is_private(path: Path, home: Path) -> None:
    """Only the user can read it; one that others could read is not used."""
    await write(path)
    key = home / "nova" / "journal.key"
    assert (key.stat().st_mode & 0o777, key.stat().st_size) == (0o600, 32)
    assert [file.name for file in key.parent.iterdir()] == ["journal.key"]
    assert seal.user_key() == key.read_bytes()
    key.chmod(0o644)
    assert seal.user_key() is None
    key.chmod(0o600)
    assert seal.new_key() == key.read_bytes(), "there is one already"


async def test_somebody_elses_file(path: Path, home: Path) -> None:
    """A journal of another user is not known by its place."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    await write(path)
    shutil.rmtree(home)
    os.chown(path, 4242, 4242)
    with pytest.raises(JournalError, match=REFUSED):
        await reopen(path)


async def test_an_empty_file_is_told(path: Path) -> None:
    """An empty journal is a new one, but not without a word: there may have been results in it."""
    path.parent.mkdir(exist_ok=True)
    path.touch()
    told: list[str] = []
    journal = await Journal.open(path, trusts=False, on_trouble=told.append)
    await journal.begin_run(run())
    await journal.close()
    assert told == [f"{path} was empty: if earlier runs have completed tasks, they will run again"]
