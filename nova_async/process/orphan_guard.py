"""The orphan guard, seen from its supervisor: one small process that ends our families if we are killed (G15).

It is started with the first child and shared by all event loops and threads of this OS process. A daemon thread waits
for it and restarts it if it is killed. A forked child drops it and gets its own once it starts children.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from nova_async._core.after_fork import Step, in_child
from nova_async._core.descriptors import clear_of_standard_streams, open_pipe
from nova_async.process import adoption, at_exit, blind, procfs
from nova_async.process.cookie import COOKIE_VARIABLE, inherited, supervisor_id

__all__ = ["THREAD_NAME", "ensure", "forget", "guard_pid", "note", "release", "retell", "stop", "watch_over"]

THREAD_NAME = "nova-orphan-guard"
PROGRAM = Path(__file__).with_name("guard_program.py")
DEAF_TO = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
# What an unusual Python needs to find its own libraries; nothing else of our environment concerns the guard.
KEPT_VARIABLES = ("PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
MOST_RESTARTS, WINDOW = 5, 10.0  # restarts per seconds; beyond that it is given up: something here keeps killing it
PATIENCE = 3.0  # seconds for a guard to end
# Bytes that a guard who stands still may owe to read, beyond what its pipe holds. Then all of it is said anew, which is
# as long as the list of those that live.
MOST_OWED = 64 * 1024

_log = logging.getLogger("nova_async")


class Guarded(Protocol):
    """What is needed of a family here."""

    cookie: str

    def known(self) -> list[tuple[int, float]]:
        """Return pid and start time of its leader (-1 where that was never seen), then of others."""
        ...


class _Guard:
    """One guard and the descriptors that belong to it."""

    def __init__(self, interpreter: str) -> None:
        read_end, self.pipe = open_pipe()
        self.pidfd = -1
        self._owed = bytearray()
        self._writing = False
        self._within_line = False
        self._most_owed = MOST_OWED
        try:
            os.set_blocking(self.pipe, False)
            with suppress(AttributeError, OSError):  # no pidfds here: the guard watches its parent's pid
                self.pidfd = clear_of_standard_streams(os.pidfd_open(os.getpid()))
            with adoption.starting() as start:
                self.process = _start(interpreter, read_end, self.pidfd)
                start.of(self.process.pid)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(read_end)
        self.tell(_everything())

    def tell(self, lines: str) -> None:
        """Write whole lines, never waiting: what a guard that stands still has no room for follows with the next ones.

        If it is dead, its successor will get everything.
        """
        self._owed += lines.encode()
        if self._writing:  # this very thread is at it, and Python has collected a worker meanwhile (see `_lock`)
            return
        self._writing = True
        try:
            self._write()
        finally:
            self._writing = False

    def _write(self) -> None:
        with suppress(BlockingIOError, BrokenPipeError):
            while self._owed:
                written = os.write(self.pipe, self._owed[:MOST_OWED])
                self._within_line = not self._owed[:written].endswith(b"\n")
                del self._owed[:written]
        if len(self._owed) > self._most_owed:
            begun = self._owed.index(b"\n") + 1 if self._within_line else 0
            self._owed[begun:] = f"again\n{_everything()}".encode()
            self._most_owed = max(MOST_OWED, 2 * len(self._owed))

    def close(self) -> None:
        """Close our descriptors; the guard takes this for our death, unless it was told to stop."""
        for descriptor in (self.pipe, self.pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self.pipe = self.pidfd = -1


# A thread may need it while it has it: Python collects garbage at any moment, and with it may go a worker that was
# dropped while running, whose end tells the guard that the family is over.
_lock = threading.RLock()
_guard: _Guard | None = None
_thread: threading.Thread | None = None
_released: set[str] = set()
_guarded: dict[str, Guarded] = {}  # by cookie
_warned = False


def ensure() -> None:
    """Start the guard if it is not running. From any thread; takes a millisecond or two the first time.

    If no Python can be started (in an embedding program), it warns once and continues without a guard.

    Raises ``OSError`` if the system cannot start one more process.
    """
    global _guard, _thread, _warned
    if _guard is not None:
        return
    with _lock:
        if _guard is not None or _warned:
            return
        interpreter = find_interpreter()
        if interpreter is None:
            _warned = True
            message = f"no orphan guard: {sys.executable!r} is not a Python interpreter that could run it; "
            message += "if this process is killed, its workers keep running"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            return
        if blind.needed():
            warnings.warn(blind.SAID, RuntimeWarning, stacklevel=2)
        guard = _Guard(interpreter)
        thread = threading.Thread(target=_watch, args=(guard, interpreter), name=THREAD_NAME, daemon=True)
        try:
            thread.start()
        except BaseException:  # no thread left for us
            guard.close()
            guard.process.wait()
            raise
        _guard, _thread = guard, thread


def guard_pid() -> int | None:
    """Return the pid of this process's guard, or None while there is none."""
    guard = _guard
    return guard.process.pid if guard is not None else None


def watch_over(family: Guarded) -> None:
    """Have the guard end this family by its leader as well, whatever becomes of the cookie, until ``forget``."""
    with _lock:
        _guarded[family.cookie] = family
        _tell(_lines_about(family))


def retell(family: Guarded) -> None:
    """Replace what the guard knows about a family, if it is watched over."""
    with _lock:
        if family.cookie in _guarded:
            _tell(_lines_about(family))


def note(cookie: str, members: Iterable[tuple[int, float]]) -> None:
    """Have the guard know these members by pid and start time, if their family is watched over."""
    worker = _worker(cookie)
    with _lock:
        if cookie in _guarded:
            _tell("".join(f"seen {worker} {pid} {start_time}\n" for pid, start_time in members))


def forget(cookie: str) -> None:
    """Have the guard forget a family of which nobody is left: its numbers may be strangers' soon."""
    if cookie in _guarded:
        with _lock:
            if _guarded.pop(cookie, None) is not None:
                _tell(f"over {_worker(cookie)}\n")


def release(cookie: str) -> None:
    """Let the worker with this cookie outlive us, whether we exit or are killed."""
    at_exit.forget(cookie)
    with _lock:
        _guarded.pop(cookie, None)
        _released.add(_worker(cookie))
        _tell(f"release {_worker(cookie)}\n")


def _tell(lines: str) -> None:
    if _guard is not None:
        _guard.tell(lines)


def _worker(cookie: str) -> str:
    return cookie.rpartition("/")[2]


def _everything() -> str:
    """Say all that a guard needs to know; the lock is ours."""
    released = (f"release {worker}\n" for worker in _released)
    return "".join([*released, *map(_lines_about, list(_guarded.values()))])


def _lines_about(family: Guarded) -> str:
    worker = _worker(family.cookie)
    (leader, start), *others = family.known()
    seen = (f"seen {worker} {pid} {start_time}\n" for pid, start_time in others)
    return "".join([f"lead {worker} {leader} {start}\n", *seen])


def stop() -> None:
    """End the guard and its thread, sparing all families, and close its descriptors; ``ensure`` starts a new one."""
    _end(sparing=True)


def find_interpreter() -> str | None:
    """Return a Python that can run the guard: ours, unless our executable is some other program."""
    candidates = [sys.executable, f"{sys.exec_prefix}/bin/python3", f"{sys.base_exec_prefix}/bin/python3"]
    if getattr(sys, "frozen", False):
        return None
    for candidate in candidates:
        name = os.path.basename(candidate or "")  # noqa: PTH119 (may be None or empty)
        if name.startswith(("python", "pypy")) and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)  # noqa: PTH100 (a virtual environment is known by the unresolved path)
    return None


def _start(interpreter: str, pipe: int, pidfd: int) -> "subprocess.Popen[bytes]":
    arguments = [str(pipe), str(pidfd), str(os.getpid()), supervisor_id()]
    if blind.needed():
        arguments.append("-")
    elif not procfs.usable():
        import psutil

        arguments.append(str(Path(psutil.__file__).parent.parent))
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    if inherited():
        environment[COOKIE_VARIABLE] = inherited()
    # Blocked signals stay blocked in the new program: so it ignores them from its first moment, not only once it runs.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, DEAF_TO)
    try:
        return subprocess.Popen(
            [interpreter, "-S", "-s", "-P", str(PROGRAM), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            pass_fds=[descriptor for descriptor in (pipe, pidfd) if descriptor >= 0],
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _watch(guard: _Guard, interpreter: str) -> None:
    """Wait for the guard; if it ends without being told to, start it again. Runs in a thread of its own."""
    global _guard
    deaths: list[float] = []
    while True:
        guard.process.wait()
        adoption.reaped(guard.process.pid)
        with _lock:
            if _guard is not guard:
                return  # it was told to end
            guard.close()
            deaths = [moment for moment in deaths if moment > time.monotonic() - WINDOW] + [time.monotonic()]
            _guard = None
            if len(deaths) <= MOST_RESTARTS:
                with suppress(OSError):
                    _guard = guard = _Guard(interpreter)
            if _guard is None:
                _log.warning("the orphan guard keeps dying: if this process is killed, its workers keep running")
                return


def _end(*, sparing: bool) -> None:
    global _guard, _thread
    with _lock:
        guard, thread, _guard, _thread = _guard, _thread, None, None
        if guard is None:
            return
        if sparing:
            guard.tell("stop\n")
        guard.close()
    if thread is not None:
        thread.join(PATIENCE)
        if thread.is_alive():
            guard.process.kill()
            thread.join(PATIENCE)


def _end_with_interpreter() -> None:
    """Leave no guard behind; if families may remain, let it end them first."""
    _end(sparing=at_exit.is_settled())


def _start_over_after_fork() -> None:
    """Drop the parent's guard, and close our copies of its descriptors, or it would wait for our end as well."""
    global _lock, _guard, _thread, _warned
    if _guard is not None:
        _guard.process.returncode = 0  # not our child: nothing to reap, nothing to warn about
        _guard.close()
    _lock = threading.RLock()
    _guard = _thread = None
    _warned = False
    _released.clear()
    _guarded.clear()
    at_exit.before_exit(_end_with_interpreter)


at_exit.before_exit(_end_with_interpreter)
in_child(Step.ORPHAN_GUARD, _start_over_after_fork)
