"""What a test left behind: asked cheaply after each one, and in full only where something is not as it was before."""

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from nova_async.process import orphan_guard, procfs
from nova_async.process.cookie import supervisor_id
from tests import signal_guard
from tests.children import is_alive

__all__ = ["CAN_LOOK", "LeakGuard", "descriptors", "leaked_tasks"]

CAN_LOOK = Path("/proc/self/fd").is_dir()  # not on macOS: there what the tests themselves assert must do
LASTING_THREADS = ("nova-",)  # ours that outlive a worker on purpose: the guard's watcher, idle disk threads
# In seconds, and shorter where these guards themselves are tested, which always wait in vain. A family whose supervisor
# was killed has its guard's grace of one; a thread may be about to end, or to close what nobody waits for any more.
PATIENCE = float(os.environ.get("NOVA_TEST_PATIENCE", "3"))
SETTLING = min(1.0, PATIENCE)
EXEC_TIME = 0.1  # seconds; thousands of times what a process needs
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}


@dataclass(frozen=True, slots=True)
class Belongings:
    """What this process has, without what lasts on purpose."""

    descriptors: frozenset[int]
    threads: frozenset[threading.Thread]
    children: frozenset[int]

    def beyond(self, before: "Belongings") -> "Belongings":
        """Return what is here and was not there before."""
        return Belongings(
            self.descriptors - before.descriptors, self.threads - before.threads, self.children - before.children
        )


NOTHING = Belongings(frozenset(), frozenset(), frozenset())


def belongings() -> Belongings:
    """Look at what we have; a tenth of a millisecond."""
    threads = (each for each in threading.enumerate() if not each.name.startswith(LASTING_THREADS))
    return Belongings(
        frozenset(_descriptors()), frozenset(threads), frozenset(_children() - {orphan_guard.guard_pid()})
    )


def descriptors() -> dict[int, str]:
    """Return this process's open descriptors, and what each one is."""
    found = {}
    for number in _descriptors():
        with contextlib.suppress(OSError):
            found[number] = str(Path(f"/proc/self/fd/{number}").readlink())
    return found


class LeakGuard:
    """Looks before and after each test of this process."""

    def __init__(self) -> None:
        self.tests = 0
        self.began = 0.0  # clock ticks since boot
        self.anyone_started = False
        sys.addaudithook(self._notice_starts)

    def before(self) -> Belongings:
        """Begin a test: what is there by now is not its leak, and all that it starts bears its mark."""
        self.tests += 1
        self.began = procfs.now()
        os.environ[signal_guard.MARK] = signal_guard.mark(self.tests)
        self.anyone_started = False
        return belongings()

    def after(self, before: Belongings) -> list[str]:
        """Return what the test left, one line each, having ended those processes."""
        found = []
        if belongings().beyond(before) != NOTHING:
            gc.collect()  # what only waits to be collected is no leak, or it warns, which is an error
            found = _told(_settled(before))
        if self.anyone_started:
            found += _end_survivors(self.began, signal_guard.mark(self.tests))
        return found

    def _notice_starts(self, event: str, _: object) -> None:
        if event in STARTS:
            self.anyone_started = True


async def leaked_tasks() -> list[str]:
    """Return the tasks of the running loop besides the one that asks."""
    if len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0)  # those that are about to end may
    return [f"task {task!r}" for task in asyncio.all_tasks() - {asyncio.current_task()}]


def _descriptors() -> list[int]:
    numbers = map(int, os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all that is needed
    return [number for number in numbers if _is_open(number)]


def _is_open(number: int) -> bool:
    """Tell the descriptor of the listing itself, closed by now, from the others."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _children() -> set[int]:
    """Return the pids of this process's children, of all its threads."""
    pids: set[int] = set()
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children") as listed:  # noqa: PTH123
            pids.update(map(int, listed.read().split()))
    return pids


def _settled(before: Belongings) -> Belongings:
    """Return what is still here once it had time to go."""
    deadline = time.monotonic() + SETTLING
    while (left := belongings().beyond(before)) != NOTHING and not left.children and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def _told(left: Belongings) -> list[str]:
    """Describe what was left; end and reap the children, or every later test would be blamed for them."""
    found = [f"thread {thread.name}" for thread in left.threads]
    found += [f"descriptor {number}: {what}" for number, what in descriptors().items() if number in left.descriptors]
    for pid in left.children:
        found.append(f"child {pid}: {_command_line(pid)}")
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return found


def _end_survivors(began: float, mark: str) -> list[str]:
    """End and describe who started since then, bears a test's mark or our cookie, and does not go by itself."""
    ours = [f"\0{signal_guard.MARK}={mark}\0".encode(), supervisor_id().encode()]
    spared = {os.getpid(), orphan_guard.guard_pid()} | _children()
    started = [entry.pid for entry in procfs.everyone(began) if entry.alive and entry.pid not in spared]
    bearers = [pid for pid in started if any(word in _environment(pid) for word in ours)]
    deadline = time.monotonic() + PATIENCE
    return [_end(pid) for pid in bearers if not _ends_by(deadline, pid)]


def _ends_by(deadline: float, pid: int) -> bool:
    """Wait for the end of a process that need not be our child; false if it takes longer."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], max(0.0, deadline - time.monotonic()))[0])
    finally:
        os.close(pidfd)


def _end(pid: int) -> str:
    """Kill a process, and describe it."""
    told = f"process {pid}, no child any more: {_command_line(pid)}"
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return told


def _environment(pid: int) -> bytes:
    """Return a process's environment, which it has not for a moment within an exec."""
    deadline = time.monotonic() + EXEC_TIME
    while is_alive(pid):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # it has ended, or is another user's
            break
        if environment or time.monotonic() > deadline:
            return b"\0" + environment
    return b""


def _command_line(pid: int) -> str:
    deadline = time.monotonic() + EXEC_TIME
    while is_alive(pid) and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if words := Path(f"/proc/{pid}/cmdline").read_bytes():
                return words.replace(b"\0", b" ").decode(errors="replace").rstrip()
    return "(has ended, nobody waited for it)"
