"""One run per directory: who comes second is told who is first, and no death leaves the lock behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nova_async.journal.lock import RunLock, RunLockedError
from tests.children import program


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a lock that does not exist yet."""
    return tmp_path / ".nova" / "lock"


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
            f"another nova run (pid {process.pid}) works in this directory; wait for it or stop it"
        )
        path.write_text("")  # the kernel knows, whatever stands in the file
        with pytest.raises(RunLockedError, match=rf"\(pid {process.pid}\)"):
            RunLock(path).open()
        process.kill()
        process.wait()
        with RunLock(path):
            assert f'"pid": {os.getpid()}' in path.read_text()


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
        for way in (path, tmp_path / "alias" / "lock"):
            with pytest.raises(RunLockedError) as caught:
                RunLock(way).open()
            assert caught.value.pid == os.getpid()
        with pytest.raises(RunLockedError):
            lock.open()
        probe = f"import fcntl; fcntl.lockf(open({str(path)!r}, 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        refused = subprocess.run([*program("silent")[:1], "-c", probe], capture_output=True, check=False)
        assert b"BlockingIOError" in refused.stderr
    with RunLock(path):
        lock.close()  # given back already: this is nobody's business
        with pytest.raises(RunLockedError):
            RunLock(path).open()


def test_other_directories_are_free(path: Path, tmp_path: Path) -> None:
    """Runs in different directories do not disturb each other."""
    with RunLock(path), RunLock(tmp_path / "other" / "lock"):
        pass
