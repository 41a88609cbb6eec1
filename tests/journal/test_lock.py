"""One run per journal: who comes second is told who is first, and no death leaves the lock behind."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nova_async.errors import JournalError, RunLockedError
from nova_async.journal.lock import RunLock
from tests.children import program


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a journal that does not exist yet."""
    return tmp_path / ".nova" / "journal.db"


@contextmanager
def holder(path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """Have another process hold the lock; gives it and the pids that it told."""
    with subprocess.Popen(program("lock_holder", path, *arguments), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids: dict[str, int] = {}
        try:
            for _ in range(1 + len(arguments)):
                word, pid = process.stdout.readline().split()
                pids[word] = int(pid)
            yield process, pids
        finally:
            for other in set(pids.values()) - {process.pid}:
                os.kill(other, signal.SIGKILL)
            process.kill()


def test_a_second_process_is_refused(path: Path) -> None:
    """While one process has the lock, another is told which one, and may have it afterwards."""
    with holder(path) as (process, _):
        with pytest.raises(RunLockedError) as caught:
            RunLock(path).open()
        assert caught.value.pid == process.pid
        assert str(caught.value) == (
            f"another nova run (pid {process.pid}) is using this journal; wait for it to finish or stop it"
        )
        path.with_name("journal.db.lock").write_text("")  # the kernel knows, whatever stands in the file
        with pytest.raises(RunLockedError, match=rf"\(pid {process.pid}\)"):
            RunLock(path).open()
        process.kill()
        process.wait()
        with RunLock(path):
            assert f'"pid": {os.getpid()}' in path.with_name("journal.db.lock").read_text()


def test_a_forked_child_does_not_keep_it(path: Path) -> None:
    """A child that was forked and lives on holds nothing once its parent is killed, and gave nothing away before."""
    with holder(path, "fork") as (process, pids):
        with pytest.raises(RunLockedError) as caught:
            RunLock(path).open()
        assert caught.value.pid == process.pid == pids["ready"]
        process.kill()
        process.wait()
        with RunLock(path):
            os.kill(pids["child"], 0)


def test_a_forked_child_may_not_take_it(path: Path) -> None:
    """A child of the holder is another process: it is refused like any other."""
    with RunLock(path):
        child = os.fork()
        if child == 0:
            try:
                RunLock(path).open()
            except RunLockedError as error:
                os._exit(0 if error.pid == os.getppid() else 3)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_two_in_one_process(path: Path, tmp_path: Path) -> None:
    """A second run of the same process is refused too, by whatever path, and does not break the first one's lock."""
    (tmp_path / "alias").symlink_to(path.parent)
    with RunLock(path) as lock:
        for way in (path, tmp_path / "alias" / "journal.db"):
            with pytest.raises(RunLockedError) as caught:
                RunLock(way).open()
            assert caught.value.pid == os.getpid()
        with pytest.raises(RunLockedError):
            lock.open()
        probe = program("file_locker", path.with_name("journal.db.lock"))
        refused = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert b"BlockingIOError" in refused.stderr
    with RunLock(path):
        lock.close()  # given back already: this is nobody's business
        with pytest.raises(RunLockedError):
            RunLock(path).open()


def test_each_journal_has_its_own(path: Path, tmp_path: Path) -> None:
    """Runs with different journals do not disturb each other, neither in one folder nor in two."""
    with RunLock(path), RunLock(path.with_name("other.db")), RunLock(tmp_path / "other" / "journal.db"):
        pass


def test_a_link_to_a_journal_has_its_lock(path: Path, tmp_path: Path) -> None:
    """A journal that is reached through a link, of its own or of its folder, is locked for everybody."""
    path.parent.mkdir()
    path.touch()
    (tmp_path / "link.db").symlink_to(path)
    with holder(tmp_path / "link.db") as (process, _), pytest.raises(RunLockedError, match=str(process.pid)):
        RunLock(path).open()
    assert not (tmp_path / "link.db.lock").exists()


def test_an_older_nova_is_respected(path: Path) -> None:
    """A run of an older nova, which locks another file, keeps out a new one; its lock is not left behind by it."""
    path.parent.mkdir()
    older = program("file_locker", path.with_name("lock"))
    with subprocess.Popen(older, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lock = RunLock(path)
        with pytest.raises(RunLockedError) as caught:
            lock.open()
        assert caught.value.pid == process.pid
        assert not path.with_name("journal.db.lock").exists()
        with RunLock(path.with_name("other.db")):
            pass  # that file was never for any but the usual journal
        process.kill()
        process.wait()
    with RunLock(path):
        refused = subprocess.run(older, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        assert b"BlockingIOError" in refused.stderr


def test_a_link_in_place_of_the_lock(path: Path, tmp_path: Path) -> None:
    """A link that lies where the lock should be is refused, and what it leads to is not emptied."""
    path.parent.mkdir()
    (tmp_path / "diary").write_text("dear diary")
    path.with_name("journal.db.lock").symlink_to(tmp_path / "diary")
    with pytest.raises(JournalError, match="symbolic link"):
        RunLock(path).open()
    assert (tmp_path / "diary").read_text() == "dear diary"


def test_a_lock_that_is_removed_is_taken_again(path: Path) -> None:
    """Whoever removes the file cannot let a second run in once the lock has been taken again."""
    file = path.with_name("journal.db.lock")
    with RunLock(path) as lock:
        for _ in range(3):
            assert lock.is_in_place()
            file.unlink()
            assert not lock.is_in_place()
            lock.take_again()
        file.rename(file.with_name("moved.lock"))
        lock.take_again()
        assert lock.is_in_place()
        for place in (path, path.with_name("moved")):
            with pytest.raises(RunLockedError):
                RunLock(place).open()
        file.unlink()
        with holder(path) as (process, _), pytest.raises(RunLockedError, match=str(process.pid)):
            lock.take_again()
        lock.take_again()
    for place in (path, path.with_name("moved")):
        with RunLock(place):
            pass


def test_a_lock_whose_file_goes_as_it_is_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is locked by then is a file that nobody else will find, so it is made again."""
    file, lockf = path.with_name("journal.db.lock"), fcntl.lockf
    removed: list[Path] = []

    def remove_first(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(file)
            file.unlink()
        lockf(descriptor, operation)

    monkeypatch.setattr(fcntl, "lockf", remove_first)
    with RunLock(path) as lock:
        assert removed == [file]
        assert lock.is_in_place()
        with pytest.raises(RunLockedError):
            RunLock(path).open()


def test_a_forked_child_keeps_no_descriptor_of_it(path: Path) -> None:
    """The file is closed there, and the parent has its lock all the same."""
    script = """
import os, sys
from pathlib import Path
from nova_async.errors import RunLockedError
from nova_async.journal.lock import RunLock
def is_open():
    links = (os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return any(link.endswith("journal.db.lock") for link in links)
journal = Path(sys.argv[1])
with RunLock(journal):
    mine = is_open()
    child = os.fork()
    if child == 0:
        os._exit(is_open())
    print(mine, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True 0\n"


def test_who_holds_it_is_told_to_its_owner_alone(path: Path) -> None:
    """The file is private, as all that we make."""
    with RunLock(path):
        assert stat.S_IMODE(path.with_name("journal.db.lock").stat().st_mode) == 0o600


def test_who_is_refused_holds_neither_lock(path: Path) -> None:
    """That of an older nova is taken first, and given back where the journal's own is another's."""
    with holder(path):
        path.with_name("lock").touch()
        with pytest.raises(RunLockedError):
            RunLock(path).open()
        older = program("file_locker", path.with_name("lock"))
        with subprocess.Popen(older, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), "it is still locked"
            process.kill()
