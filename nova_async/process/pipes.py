"""The pipe that a child writes its output to, as large as the system's quota allows (G34).

Linux allows an unprivileged user 64 MiB in pipes altogether; beyond that, every new pipe of that user, in any program,
gets 8 KiB. So one OS process uses at most half of it for larger pipes, and less per child the more children there are.
"""

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import final

from nova_async._core.after_fork import Step, in_child
from nova_async._core.descriptors import open_pipe

__all__ = ["LARGEST", "RATION", "USUAL", "OutputPipe", "PipeRation", "room_in"]

LARGEST = 1024 * 1024  # bytes; what an unprivileged user may ask for (pipe-max-size)
USUAL = 64 * 1024  # bytes; a pipe's default size
OURS = 32 * 1024 * 1024  # bytes; half of what an unprivileged user has
EIGHTH = 8  # each child takes at most this part of what is left, so later ones get theirs

F_SETPIPE_SZ: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only
F_GETPIPE_SZ: int | None = getattr(fcntl, "F_GETPIPE_SZ", None)


class PipeRation:
    """Bytes for pipes, shared by everything that opens one; for use from any thread.

    ``budget`` is in bytes for all pipes together; beyond it each gets the default size.
    """

    def __init__(self, budget: int = OURS) -> None:
        self.budget = budget
        self.taken = 0
        # A thread may need it while it has it: a pipe may be closed by the end of a worker that is garbage.
        self._lock = threading.RLock()

    def take(self, most: int = LARGEST) -> int:
        """Return the size in bytes for one more pipe: a power of two from 64 KiB to ``most``."""
        with self._lock:
            size = most
            while size > USUAL and size > (self.budget - self.taken) // EIGHTH:
                size //= 2
            self.taken += size
            return size

    def give_back(self, size: int) -> None:
        """Return what a closed pipe had taken."""
        with self._lock:
            self.taken -= size

    def start_over(self) -> None:
        """Reset in a forked child: the parent's pipes and locks are not ours."""
        self.taken = 0
        self._lock = threading.RLock()


def _budget() -> int:
    """Return half of the user's limit, where it is smaller than usual."""
    try:
        pages = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    except (OSError, ValueError):
        return OURS
    return min(OURS, pages * os.sysconf("SC_PAGE_SIZE") // 2) if pages else OURS


RATION = PipeRation(_budget())
in_child(Step.PIPES, RATION.start_over)


@final
class OutputPipe:
    """A pipe for what a child writes: we read at one end, which never blocks; the child is given the other.

    ``most`` is the largest size in bytes that makes sense, at least ``USUAL``. An end that is closed is -1. Raises
    ``OSError`` if no descriptor is left.
    """

    def __init__(self, most: int = LARGEST) -> None:
        self.read_end, self.write_end = open_pipe()
        self._size = RATION.take(most)
        os.set_blocking(self.read_end, False)
        if F_SETPIPE_SZ is not None:
            # EPERM: this user already has too many pipes. A smaller pipe works too; it only buffers less.
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.read_end, F_SETPIPE_SZ, self._size)

    def close_write_end(self) -> None:
        """Close the child's end, which it has by now; a second call does nothing."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def close(self) -> None:
        """Close both ends; a second call does nothing."""
        self.close_write_end()
        if self.read_end >= 0:
            os.close(self.read_end)
            self.read_end = -1
            RATION.give_back(self._size)


def room_in(descriptor: int) -> int:
    """Return how many bytes a pipe holds, as far as the system tells."""
    return USUAL if F_GETPIPE_SZ is None else fcntl.fcntl(descriptor, F_GETPIPE_SZ)
