"""The log on the disk: kept when a new one begins, appended to, opened again when somebody moved it away.

Everything here blocks; ``log_writer`` calls it in a thread.
"""

import io
import os
import re
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["LogFile"]

# O_NONBLOCK: opening a FIFO that nobody reads fails (ENXIO) instead of hanging; it is cleared again for the writes.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
PRIVATE = 0o600  # agents print secrets


class LogFile(io.FileIO):
    """One attempt's log: an unbuffered file that counts what it took.

    Raises the system's ``OSError`` if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        path = path.absolute()  # the program may change its directory, its logs stay where they are
        path.parent.mkdir(parents=True, exist_ok=True)
        self.previous = keep_previous(path)  # where an earlier attempt's log is now
        super().__init__(open_private(path), "ab", closefd=True)
        self.path = path
        self.is_regular = stat.S_ISREG(os.fstat(self.fileno()).st_mode)
        self.start = self.seek(0, os.SEEK_END) if self.is_regular else 0
        self.taken = 0  # bytes written so far: the truth also where the result of a write was lost to a cancellation
        self._one_at_a_time = threading.Lock()

    def write(self, data: "ReadableBuffer", /, begin: int | None = None) -> int:
        """Write all of ``data`` and return its length in bytes.

        With ``begin``, which was ``taken`` when this was handed over for the first time, it may be handed over again
        while another thread may still be at it: no byte is written twice.

        Raises ``OSError`` where the disk takes no more; ``taken`` then says how much of it was written.
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
        """Close the file, after the write that may be under way in another thread."""
        with self._one_at_a_time:
            super().close()

    def _open_again(self) -> None:
        """Go on in a new file where the old one was moved or deleted, but never in somebody else's (G7, G27)."""
        try:
            new = open_private(self.path, os.O_EXCL)
        except FileExistsError:
            return
        try:
            os.dup2(new, self.fileno(), inheritable=False)
        finally:
            os.close(new)


def open_private(path: Path, more_flags: int = 0) -> int:
    """Open a log for appending, readable by its owner only, and return the descriptor."""
    descriptor = os.open(path, FLAGS | more_flags, PRIVATE)
    os.set_blocking(descriptor, True)
    return descriptor


def keep_previous(path: Path) -> Path | None:
    """Move an earlier attempt's ``F1.log`` aside to ``F1~1.log``, ``F1~2.log`` …, oldest first; return where to."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None  # a device, a FIFO or a link: somebody put it there on purpose
    except FileNotFoundError:
        return None
    name = re.compile(re.escape(path.stem) + r"~(\d+)" + re.escape(path.suffix))
    kept = [int(match[1]) for other in os.listdir(path.parent) if (match := name.fullmatch(other))]  # noqa: PTH208 - names suffice
    number = max(kept, default=0) + 1
    while True:
        aside = path.with_name(f"{path.stem}~{number}{path.suffix}")
        try:  # claim the name first: two workers of one id must not overwrite each other's evidence
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        except FileExistsError:
            number += 1
            continue
        path.replace(aside)
        return aside
