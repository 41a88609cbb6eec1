"""Links and other things that a repository may have put where our files belong: no file of its user is ever touched."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_async._core.own_places import JOURNAL, STATE_FILE
from nova_async.errors import JournalError, StateFileError
from nova_async.journal.lock import RunLock
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_file import StateFile, read_state
from nova_async.journal.store import Journal
from nova_async.views import TaskView
from tests.journal.making import PLAN, end, run, start
from tests.views import run_view

PRECIOUS = "precious\n" * 1000
NAMES = ("journal.db", "journal.db-wal", "journal.db-shm", "journal.db-journal", "journal.db.lock", "journal.db.new",
         "lock")  # fmt: skip


@pytest.fixture
def precious(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a `.nova`, and make a file elsewhere that must stay as it is."""
    folder = tmp_path / "checkout"
    (folder / ".nova").mkdir(parents=True)
    monkeypatch.chdir(folder)
    path = tmp_path / "elsewhere" / "precious"
    path.parent.mkdir()
    path.write_text(PRECIOUS)
    return path


async def opened(path: Path) -> None:
    """Open a journal as a run does, write to it, and close it."""
    with RunLock(path) as lock:
        journal = await Journal.open(path, lock=lock)
        try:
            await journal.begin_run(run())
            await journal.begin_attempt(start())
            await journal.end_attempt(end())
        finally:
            await journal.close()


async def write_state(path: Path) -> None:
    """Write a state file as a run does."""
    view = TaskView(id="F1")
    file = StateFile(path, tasks=["F1"], view=lambda _: view, run=run_view, scratch=Path(".nova"))
    file.touch()
    await file.close()


def make_fifo(place: Path, _: Path) -> None:
    """Put a FIFO there."""
    os.mkfifo(place)


def make_socket(place: Path, _: Path) -> None:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))


PLANTED: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda place, precious: place.symlink_to(precious),
    "link to a folder": lambda place, precious: place.symlink_to(precious.parent),
    "link to nothing": lambda place, precious: place.symlink_to(precious.with_name("new")),
    "link to a device": lambda place, _: place.symlink_to("/dev/zero"),
    "folder": lambda place, _: place.mkdir(),
    "fifo": make_fifo,
    "socket": make_socket,
}


async def test_nothing_but_files_among_ours(precious: Path) -> None:
    """Whatever stands in the place of one of the journal's files, the error names it, and what to do about it."""
    folder, empty, written = Path(".nova"), Path("empty"), Path("written")
    shutil.copytree(folder, empty)
    await opened(Path(JOURNAL))
    shutil.copytree(folder, written)
    for name, planted in itertools.product(NAMES, PLANTED):
        shutil.rmtree(folder)
        shutil.copytree(empty if planted == "link" else written, folder)  # with or without a journal
        place = folder / name
        place.unlink(missing_ok=True)
        PLANTED[planted](place, precious)
        with pytest.raises(JournalError, match=rf"{name}: it is (a|not a) .*: remove it, or name another journal"):
            await opened(Path(JOURNAL))
        assert precious.read_text() == PRECIOUS, (name, planted)
        assert list(precious.parent.iterdir()) == [precious], (name, planted)


@pytest.mark.parametrize("name", ["journal.db-wal", "journal.db-shm"])
async def test_a_reader_touches_nothing_either(name: str, precious: Path) -> None:
    """SQLite marks in the -shm file how far it reads: a link there would lead that into somebody's file."""
    await opened(Path(JOURNAL))
    for ending in ("-wal", "-shm"):
        Path(JOURNAL + ending).touch()
    (Path(".nova") / name).unlink()
    (Path(".nova") / name).symlink_to(precious)
    with pytest.raises(JournalError, match=f"{name}: it is a symbolic link"):
        JournalReader(Path(JOURNAL)).runs()
    assert precious.read_text() == PRECIOUS


@pytest.mark.parametrize("name", ["journal.db-wal", "journal.db-shm", "journal.db.lock"])
async def test_a_hard_link(name: str, precious: Path) -> None:
    """Neither SQLite nor the lock writes to a file that has another name, too."""
    (Path(".nova") / name).hardlink_to(precious)
    if name.endswith("lock"):
        await opened(Path(JOURNAL))
    else:
        with pytest.raises(JournalError, match=f"{name}: it is a hard link"):
            await opened(Path(JOURNAL))
    assert precious.read_text() == PRECIOUS


async def test_a_folder_that_is_a_link(precious: Path) -> None:
    """`.nova` is no link where nobody has named it; where somebody has, it may be."""
    Path(".nova").rmdir()
    Path(".nova").symlink_to(precious.parent)
    with pytest.raises(JournalError, match=r"\.nova: it is a symbolic link to .*elsewhere, which nova does not follow"):
        await opened(Path(JOURNAL))
    assert list(precious.parent.iterdir()) == [precious]
    await opened(Path(JOURNAL).absolute())
    assert list(JournalReader(Path(JOURNAL).absolute()).latest(PLAN)) == ["F1"]


async def test_a_state_file_that_is_a_link(precious: Path) -> None:
    """In its usual place a link is replaced, and what it led to stays; one that the user names is followed."""
    for named, followed in ((Path(STATE_FILE), False), (Path.cwd() / STATE_FILE, True)):
        Path(STATE_FILE).unlink(missing_ok=True)
        Path(STATE_FILE).symlink_to(precious)
        file = StateFile(
            named, tasks=["F1"], view=lambda task_id: TaskView(id=task_id), run=run_view, scratch=Path(".nova")
        )
        file.touch()
        await file.close()
        assert Path(STATE_FILE).is_symlink() == followed
        assert (precious.read_text() == PRECIOUS) != followed
        assert read_state(Path(STATE_FILE))[1].keys() == {"F1"}


@pytest.mark.parametrize("planted", ["fifo", "socket"])
async def test_a_device_is_not_replaced_by_a_state_file(planted: str, precious: Path) -> None:
    """A path that leads to a device, such as /dev/null, keeps leading there; that it gets nothing is told."""
    PLANTED[planted](Path("named"), precious)
    told: list[str | None] = []
    view = TaskView(id="F1")
    file = StateFile(
        Path("named"), tasks=["F1"], view=lambda _: view, run=run_view, scratch=Path(".nova"), on_trouble=told.append
    )
    file.touch()
    await file.close()
    assert told == ["named: it is not a regular file"]
    assert not Path("named").is_file()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
async def test_modes_do_not_depend_on_the_umask(mask: int, precious: Path) -> None:
    """State, journal and lock hold what agents did, and are private, also where a file was there that was not."""
    Path(STATE_FILE).touch(0o644)
    Path(STATE_FILE).chmod(0o644)
    before = os.umask(mask)
    try:
        with RunLock(Path(JOURNAL)) as lock:
            journal = await Journal.open(Path(JOURNAL), lock=lock)
            await journal.begin_run(run())
            file = StateFile(
                Path(STATE_FILE),
                tasks=["F1"],
                view=lambda task_id: TaskView(id=task_id),
                run=run_view,
                scratch=Path(".nova"),
            )
            file.touch()
            await file.close()
            found = {path.name: path.stat().st_mode & 0o777 for path in [*Path(".nova").iterdir(), Path(STATE_FILE)]}
            await journal.close()
    finally:
        os.umask(before)
    found.pop(".gitignore", None)
    assert sorted(found) == [STATE_FILE, "journal.db", "journal.db-shm", "journal.db-wal", "journal.db.lock"]
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("planted", ["link to a device", "fifo", "folder", "socket"])
def test_a_state_file_that_is_none_is_read_by_nobody(planted: str, precious: Path) -> None:
    """Nobody waits for a FIFO or reads a device to its end, which it does not have."""
    PLANTED[planted](Path(STATE_FILE), precious)
    with pytest.raises(StateFileError, match=rf"{STATE_FILE}: "):
        read_state(Path(STATE_FILE))


WRITER = """
import asyncio, os
from pathlib import Path
from nova_async.journal.store import Journal
from tests.journal.making import PLAN, run, start

async def main():
    journal = await Journal.open(Path(".nova/journal.db"))
    await journal.begin_run(run())
    for number in range(1, 20):
        await journal.begin_attempt(start(number=number))
    for size in (0, 100, 4096, 32767):
        os.truncate(".nova/journal.db-shm", size)
        number += 1
        await journal.begin_attempt(start(number=number))
    print(sum(map(len, (await journal.history(PLAN)).attempts.values())))
    await journal.close()

asyncio.run(main())
"""


def test_a_scratch_file_that_is_cut_kills_nobody(precious: Path) -> None:
    """Where something cuts the -shm file of an open journal, it is made anew: memory without a file is SIGBUS."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", WRITER]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert ended.returncode != -signal.SIGBUS
    assert (ended.stdout, ended.stderr) == ("23\n", "")
