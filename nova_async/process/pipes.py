"""The pipe that a child writes its output to, as large as the system's quota allows (G34).

Linux allows an unprivileged user 64 MiB in pipes altogether; beyond that, every new pipe of that user, in any program,
gets 8 KiB. So one OS process uses at most half of it for larger pipes, and less per child the more children there are.
"""

import contextlib
import fcntl
import os
import threading
from pathlib import Path

from nova_async._core.after_fork import Step, in_child
from nova_async._core.descriptors import open_pipe

__all__ = ["RATION", "PipeRation", "open_output_pipe"]

LARGEST = 1024 * 1024  # bytes; what an unprivileged user may ask for (pipe-max-size)
USUAL = 64 * 1024  # bytes; a pipe's default size
OURS = 32 * 1024 * 1024  # bytes; half of what an unprivileged user has
EIGHTH = 8  # each child takes at most this part of what is left, so later ones get theirs

F_SETPIPE_SZ: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only


class PipeRation:
    """Bytes for pipes, shared by everything that opens one; for use from any thread.

    ``budget`` is in bytes for all pipes together; beyond it each gets the default size.
    """

    def __init__(self, budget: int = OURS) -> None:
        self.budget = budget
        self.taken = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return the size in bytes for one more pipe: a power of two from 64 KiB to 1 MiB."""
        with self._lock:
            size = LARGEST
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
        self._lock = threading.Lock()


def _budget() -> int:
    """Return half of the user's limit, where it is smaller than usual."""
    try:
        pages = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())
    except (OSError, ValueError):
        return OURS
    return min(OURS, pages * os.sysconf("SC_PAGE_SIZE") // 2) if pages else OURS


RATION = PipeRation(_budget())
in_child(Step.PIPES, RATION.start_over)


def open_output_pipe() -> tuple[int, int, int]:
    """Return the read end (non-blocking), the write end, and the size to give back to ``RATION`` at the end.

    Raises ``OSError`` if no descriptor is left.
    """
    read_end, write_end = open_pipe()
    size = RATION.take()
    os.set_blocking(read_end, False)
    if F_SETPIPE_SZ is not None:
        # EPERM: this user already has too many pipes. A smaller pipe works too; it only buffers less.
        with contextlib.suppress(OSError):
            fcntl.fcntl(read_end, F_SETPIPE_SZ, size)
    return read_end, write_end, size
