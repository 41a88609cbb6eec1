"""One run per journal: a lock that no crash leaves behind and that no child inherits."""

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

from nova_async._core.after_fork import Step, in_child
from nova_async._core.atomic_files import own_folder
from nova_async.errors import JournalError, RunLockedError
from nova_async.journal.explaining import explained
from nova_async.journal.places import lock_of_older, own_path

__all__ = ["RunLock"]

# The layout of `struct flock`, to ask the kernel who holds a record lock. On other systems the file itself says.
QUESTIONS = {"linux": "@hhqqi4x", "darwin": "@qqihh"}
MOST_BYTES = 1024  # what a holder writes is far shorter


MOST_TRIES = 10  # how often a lock file that is removed between opening and locking is recreated

# A POSIX record lock belongs to the process, so it cannot keep two runs in one process apart: this does.
_held: dict[tuple[int, int], "RunLock"] = {}
_guard = threading.Lock()


@final
class RunLock:
    """The right to write a journal; ``with RunLock(journal):``, or ``open`` and ``close``.

    Its file is ``<journal>.lock`` beside the journal, links resolved. It is a POSIX record lock (``lockf``), not
    ``flock``: it belongs to this process alone, so that no child keeps it, forked ones included, and it ends with the
    process, however that dies. The price: it also ends when this process closes *any* descriptor of the file, so only
    this class may open the file. The file is never removed, because that would let two runs lock two different files
    of that name.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._path = journal
        self._descriptors: list[int] = []
        self._file: tuple[int, int] | None = None  # what is locked

    def open(self) -> None:
        """Take the lock.

        Raises ``RunLockedError`` if another process, or another run in this one, has it, and ``JournalError`` if its
        file cannot be created or opened.
        """
        with _guard:
            if self._descriptors:
                raise RunLockedError(os.getpid())
            place = own_path(self.journal)
            self._path = place.with_name(place.name + ".lock")
            if (older := lock_of_older(place)) is not None and older.exists():
                self._take(older)  # it must not run beside us
            try:
                self._take(self._path)
            except BaseException:
                self._give_back()
                raise

    def is_in_place(self) -> bool:
        """Tell whether the lock's file is still where another run would look for it."""
        try:
            return key_of(self._path.lstat()) == self._file
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # nobody can tell

    def take_again(self) -> None:
        """Take the lock again after its file was removed, and keep what else is held until ``close``.

        Raises ``RunLockedError`` if another run was faster, and ``JournalError`` if its file cannot be created or
        opened.
        """
        with _guard:
            earlier = self._descriptors[:]
            self._take(self._path)
            for descriptor in earlier:
                # Another run may still find a file that was only moved, but not one without a name.
                if os.fstat(descriptor).st_nlink == 0:
                    self._let_go(descriptor)

    def close(self) -> None:
        """Release the lock. If it is not held, and in a forked child, this does nothing."""
        with _guard:
            self._give_back()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, path: Path) -> None:
        for _ in range(MOST_TRIES):
            descriptor = self._locked(path)
            if leads_to(path, descriptor):
                self._file = key_of(os.fstat(descriptor))
                _held[self._file] = self
                self._descriptors.append(descriptor)
                write_holder(descriptor)
                return
            os.close(descriptor)
        raise JournalError(f"{path} keeps being removed: find out by what, or choose another path for the journal")

    def _locked(self, path: Path) -> int:
        """Open the file and lock it."""
        try:
            own_folder(path.parent)
            refuse_if_held_here(path)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise explained(path, error) from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # POSIX allows both
            holder = read_holder(descriptor)
            pid = locking_pid(descriptor) or holder.get("pid")
            os.close(descriptor)
            raise RunLockedError(pid, holder.get("host")) from error
        except OSError as error:
            os.close(descriptor)
            raise explained(path, error) from error
        return descriptor

    def _give_back(self) -> None:
        while self._descriptors:
            self._let_go(self._descriptors[-1])
        self._file = None

    def _let_go(self, descriptor: int) -> None:
        self._descriptors.remove(descriptor)
        _held.pop(key_of(os.fstat(descriptor)), None)
        os.close(descriptor)


def refuse_if_held_here(path: Path) -> None:
    """Check without opening the file: closing it again would release the lock."""
    with contextlib.suppress(FileNotFoundError):
        if key_of(path.stat()) in _held:
            raise RunLockedError(os.getpid())


def leads_to(path: Path, descriptor: int) -> bool:
    """Tell whether the path leads to the open file."""
    try:
        return key_of(path.lstat()) == key_of(os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return False


def key_of(status: os.stat_result) -> tuple[int, int]:
    """Return what identifies a file, by whatever path it is reached."""
    return status.st_dev, status.st_ino


def write_holder(descriptor: int) -> None:
    """Write who holds the lock into the file, for people and for systems whose kernel cannot be asked."""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if os.fstat(descriptor).st_nlink > 1 and not read_holder(descriptor):
        return  # a hard link to a file of somebody else's
    with contextlib.suppress(OSError):  # the lock works on a full disk too
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)


def read_holder(descriptor: int) -> dict[str, Any]:
    """Read who holds the lock, according to the file."""
    try:
        holder = json.loads(os.pread(descriptor, MOST_BYTES, 0))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) and isinstance(holder.get("pid"), int) else {}


def locking_pid(descriptor: int) -> int | None:
    """Ask the kernel who holds the lock, because the file may not have been written yet."""
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
    for lock in set(_held.values()):
        while lock._descriptors:
            os.close(lock._descriptors.pop())
    _held.clear()


in_child(Step.JOURNAL_LOCK, _forget_after_fork)
