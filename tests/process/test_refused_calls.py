"""A sandbox that refuses calls, and a start that fails when the command runs already: nobody is left (G58)."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from nova_async.process import procfs
from nova_async.process.spawn import spawn
from tests.cli.command import NOVA
from tests.ordinary_user import as_ordinary_user, ordinary_environment, ordinary_folder, ordinary_python
from tests.signal_guard import MARK

from .watching import PROGRAMS, asleep, everyone_of_ours, is_alive

PIDFD_SEND_SIGNAL, PIDFD_OPEN = "424", "434"  # the same numbers on all of Linux but Alpha


def compiled(name: str, folder: Path) -> str:
    """Compile one of the programs that need to be C."""
    if shutil.which("gcc") is None or not sys.platform.startswith("linux"):
        pytest.skip("needs gcc on Linux")
    program = folder / name
    subprocess.run(["gcc", "-O1", "-o", str(program), str(PROGRAMS / f"{name}.c")], check=True)
    return str(program)


@pytest.fixture(scope="module")
def refuse_calls(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Compile what makes the system refuse calls."""
    return compiled("refuse_calls", tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize(
    ("number", "calls"),
    [("38", f"{PIDFD_OPEN},{PIDFD_SEND_SIGNAL}"), ("1", PIDFD_OPEN), ("1", PIDFD_SEND_SIGNAL)],
    ids=["as an old kernel", "no pidfds", "pidfds that take no signal"],
)
def test_a_limit_where_pidfds_are_refused(number: str, calls: str, refuse_calls: str, tmp_path: Path) -> None:
    """The command runs under supervision, and its limit ends all of it."""
    script = "setsid sleep 60 & echo $! $$; exec sleep 60"
    command = [refuse_calls, number, calls, *NOVA, "exec", "--timeout", "400ms", "--", "sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 124, done.stderr
    assert not any(is_alive(int(pid)) for pid in done.stdout.split())


def watcher_that_refuses(error: Exception) -> Any:
    """Return a watcher that can watch nobody, as one that has no thread or descriptor left."""

    class Refusing(asyncio.ThreadedChildWatcher):
        def add_child_handler(self, pid: int, *_: object) -> None:
            """Refuse, when it runs already and has a child."""
            while not procfs.children_of(pid):
                continue
            raise error

    return Refusing()


@pytest.fixture(params=[OSError(24, os.strerror(24)), RuntimeError("can't start new thread")], ids=["files", "threads"])
def refusing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have asyncio watch its children by a watcher that refuses."""
    if sys.version_info >= (3, 14):
        pytest.skip("asyncio has no exchangeable watchers any more")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of their very names
        policy = asyncio.get_event_loop_policy()
        before = policy.get_child_watcher()
        policy.set_child_watcher(watcher_that_refuses(request.param))
        yield
        policy.set_child_watcher(before)


async def test_a_child_that_cannot_be_watched(refusing: None) -> None:
    """It runs already when asyncio gives it up: it is ended with its family, reaped, and not told as never started."""
    script = "env -i setsid sleep 9.2653 & exec sleep 60"
    with pytest.raises(OSError, match="was started, but could not be supervised, and was killed") as raised:
        await spawn(["sh", "-c", script], env=os.environ)
    assert raised.value.errno in (errno.EMFILE, errno.EAGAIN)
    assert everyone_of_ours() == []
    assert asleep("9.2653") == []


@pytest.fixture
def public() -> Iterator[Path]:
    """Make a folder outside of pytest's, which makes its own private again whenever another of its workers begins."""
    with TemporaryDirectory(prefix="nova-") as name:
        yield ordinary_folder(Path(name))


def test_a_leader_that_is_another_users(public: Path) -> None:
    """A limit that can end nobody gives up at once, says whom, and lets the worker end."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a set-uid program of another user")
    program = Path(compiled("takes_the_rights", public))
    program.chmod(0o4755)
    script = f"""
import asyncio, time
from nova_async import AsyncWorker, Limits
async def main():
    worker = AsyncWorker("F1", log_dir="logs", limits=Limits(timeout=0.5))
    begin = time.monotonic()
    await worker.start([{str(program)!r}])
    await worker.wait()
    print(time.monotonic() - begin < 5, worker.end, worker.pid, worker.error)
asyncio.run(main())
"""
    command = as_ordinary_user(ordinary_python(), "-c", script)
    environment = {**ordinary_environment(public), MARK: os.environ[MARK]}
    done = subprocess.run(command, cwd=public, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    leader = int((public / "logs/F1.log").read_text().split()[1])
    os.kill(leader, signal.SIGKILL)
    told = f"True timed_out {leader} timed out: still running after 0.5 s (timeout); "
    assert done.stdout == f"{told}could not be killed: takes_the_right (pid {leader})\n", done.stderr
