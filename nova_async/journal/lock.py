"""One run per directory: a lock that no crash leaves behind and that no child inherits."""

import contextlib
import fcntl
import json
import os
import socket
import struct
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, final

from nova_async.errors import NovaError
from nova_async.journal.errors import explained

__all__ = ["RunLock", "RunLockedError"]

# How the kernel wants to be asked who holds a record lock. Elsewhere the file itself has to tell.
QUESTIONS = {"linux": "@hhqqi4x", "darwin": "@qqihh"}
MOST_BYTES = 1024  # what a holder writes is far shorter


class RunLockedError(NovaError):
    """Another run works in this directory."""

    def __init__(self, pid: int | None, host: str | None = None) -> None:
        where = f" on {host}" if host not in (None, socket.gethostname()) else ""
        who = f"pid {pid}{where}" if pid else "of unknown pid"
        super().__init__(f"another nova run ({who}) works in this directory; wait for it or stop it")
        self.pid = pid
        """The process that holds the lock; None where nobody can tell."""


# A POSIX record lock belongs to the process, so it does not tell two runs in one process apart: this does.
_held: dict[tuple[int, int], "RunLock"] = {}
_guard = threading.Lock()


@final
class RunLock:
    """The right to write the journal in a directory; ``with RunLock(path):``, or ``open`` and ``close``.

    It is a POSIX record lock (``lockf``), not ``flock``: it belongs to this process alone, so that no child keeps it,
    forked ones included, and it ends with the process, however that dies. The price: it also ends when this process
    closes *any* descriptor of the file, so nobody here may open the file but this class. The file stays, for removing
    it would let two runs lock two different files of that name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._key = (0, 0)

    def open(self) -> None:
        """Take the lock.

        Raises:
            RunLockedError: somebody has it, another process or another run of this one.
            JournalError: the file cannot be made or opened.

        """
        with _guard:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._refuse_if_held_here()
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise explained(self.path, error) from error
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:  # POSIX allows both
                holder = read_holder(descriptor)
                pid = locking_pid(descriptor) or holder.get("pid")
                os.close(descriptor)
                raise RunLockedError(pid, holder.get("host")) from error
            except OSError as error:
                os.close(descriptor)
                raise explained(self.path, error) from error
            self._descriptor = descriptor
            self._key = key_of(os.fstat(descriptor))
            _held[self._key] = self
            write_holder(descriptor)

    def close(self) -> None:
        """Give the lock back. Without it, and in a forked child, this does nothing."""
        with _guard:
            if self._descriptor is not None:
                _held.pop(self._key, None)
                os.close(self._descriptor)
                self._descriptor = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_if_held_here(self) -> None:
        """Look without opening the file: closing it again would give the lock away."""
        with contextlib.suppress(FileNotFoundError):
            if key_of(self.path.stat()) in _held:
                raise RunLockedError(os.getpid())


def key_of(status: os.stat_result) -> tuple[int, int]:
    """Return what tells a file from all others, by whatever path it is reached."""
    return status.st_dev, status.st_ino


def write_holder(descriptor: int) -> None:
    """Write who holds the lock into the file, for people and for systems that cannot be asked."""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with contextlib.suppress(OSError):  # the lock holds on a full disk too
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)


def read_holder(descriptor: int) -> dict[str, Any]:
    """Read who says to hold the lock."""
    try:
        holder = json.loads(os.pread(descriptor, MOST_BYTES, 0))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) and isinstance(holder.get("pid"), int) else {}


def locking_pid(descriptor: int) -> int | None:
    """Ask the kernel who holds the lock: the file may not have been written yet."""
    if sys.platform not in QUESTIONS or struct.calcsize("P") != 8:
        return None
    layout = QUESTIONS[sys.platform]
    linux = sys.platform == "linux"
    question = (fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0) if linux else (0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    try:
        answer = struct.unpack(layout, fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(layout, *question)))
    except OSError:
        return None
    kind, pid = (answer[0], answer[4]) if linux else (answer[3], answer[2])
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None  # 0 and -1: in another container, on another host


def _forget_after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    for lock in _held.values():
        if lock._descriptor is not None:
            os.close(lock._descriptor)
            lock._descriptor = None
    _held.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
