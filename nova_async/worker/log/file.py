"""The log on disk: kept when a new one begins, appended to, reopened if it is moved away.

Everything here blocks; ``writer`` calls it in a thread.
"""

import errno
import io
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from nova_async._core.atomic_files import own_folder
from nova_async._core.descriptors import clear_of_standard_streams

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["FileIdentity", "LogFile", "find_log", "identity_of"]

FileIdentity = tuple[int, int]  # device and inode: what stays when a file is renamed

# O_NONBLOCK: opening a FIFO that nobody reads fails (ENXIO) instead of hanging; it is cleared again for the writes.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
PRIVATE = 0o600  # agents print secrets


# A log does not keep its name: the next attempt takes it over. So a log file that renames another tells its owner, if
# that is in this process; one renamed by another process is found by its identity.
_logs: "WeakValueDictionary[FileIdentity, LogFile]" = WeakValueDictionary()


class LogFile(io.FileIO):
    """One attempt's log: an unbuffered file that counts what it took.

    Raises the system's ``OSError`` if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        path = path.absolute()  # the program may change its directory; its logs stay where they are
        own_folder(path.parent)
        keep_previous(path)
        super().__init__(open_private(path), "ab", closefd=True)
        self.path = path  # kept up to date when a later worker of this process renames the file
        self._note_identity()
        self.start = self.seek(0, os.SEEK_END) if self.is_regular else 0
        self.taken = 0  # bytes written so far: correct even if a cancellation lost the result of a write
        self._one_at_a_time = threading.Lock()

    def write(self, data: "ReadableBuffer", /, begin: int | None = None) -> int:
        """Write all of ``data`` and return its length in bytes.

        With ``begin``, the value of ``taken`` when this data was first handed over, it may be handed over again even
        while another thread is still writing it: no byte is written twice.

        Raises ``OSError`` if the disk accepts no more; ``taken`` then says how much of it was written.
        """
        with self._one_at_a_time:
            if self.is_regular and not self.path.exists():
                self._open_again()
            left = memoryview(data)
            length = len(left)
            if begin is not None:
                left = left[self.taken - begin :]
            while left:
                written = os.write(self.fileno(), left)
                self.taken += written
                left = left[written:]
            return length

    def close(self) -> None:
        """Close the file, after any write under way in another thread."""
        with self._one_at_a_time:
            super().close()

    def _note_identity(self) -> None:
        status = os.fstat(self.fileno())
        self.is_regular = stat.S_ISREG(status.st_mode)
        self.identity = identity_of(status)
        if self.is_regular:
            _logs[self.identity] = self

    def _open_again(self) -> None:
        """Continue in a new file where the old one was moved or deleted, but never in somebody else's (G7, G27)."""
        try:
            new = open_private(self.path, os.O_EXCL)
        except FileExistsError:
            return
        try:
            os.dup2(new, self.fileno(), inheritable=False)
        finally:
            os.close(new)
        self._note_identity()


def open_private(path: Path, more_flags: int = 0) -> int:
    """Open a log for appending, readable by its owner only, and return the descriptor."""
    descriptor = clear_of_standard_streams(os.open(path, FLAGS | more_flags, PRIVATE))
    os.set_blocking(descriptor, True)
    return descriptor


def identity_of(status: os.stat_result) -> FileIdentity:
    """Return what identifies a file, by whatever path it is reached."""
    return status.st_dev, status.st_ino


def keep_previous(path: Path) -> None:
    """Move an earlier attempt's ``F1.log`` aside to ``F1~1.log``, ``F1~2.log`` …, oldest first."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        return  # a device, a FIFO or a link: put there on purpose
    number = max((number for number, _ in kept_logs(path)), default=0) + 1
    while True:
        aside = path.with_name(f"{path.stem}~{number}{path.suffix}")
        try:  # claim the name first: two workers with one id must not overwrite each other's logs
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        except FileExistsError:
            number += 1
            continue
        if (log := _logs.get(identity_of(status))) is not None:
            log.path = aside  # before the rename: its writer must not find its path empty and start a new file there
        path.replace(aside)
        return


def kept_logs(path: Path) -> Iterator[tuple[int, Path]]:
    """Find the logs of earlier attempts beside the latest one: their numbers and paths, in no order."""
    name = re.compile(re.escape(path.stem) + r"~(\d+)" + re.escape(path.suffix))
    for other in os.listdir(path.parent):  # noqa: PTH208 - names suffice
        if match := name.fullmatch(other):
            yield int(match[1]), path.with_name(other)


def find_log(path: Path, identity: FileIdentity) -> Path:
    """Return where a log that began at ``path`` is now: there, or beside it if a later log took its name.

    Raises ``FileNotFoundError`` if it is gone.
    """
    try:
        if identity_of(path.stat()) == identity:
            return path
        for _, other in kept_logs(path):
            if identity_of(other.stat()) == identity:
                return other
    except FileNotFoundError:
        pass
    raise FileNotFoundError(errno.ENOENT, "the log was moved or deleted", str(path))
