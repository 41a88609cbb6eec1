"""The process table where there is no ``/proc``: the same questions as ``procfs``, answered by psutil.

psutil is imported at the first call, because on Linux there is none.
On macOS, protected programs hide their environment: they are recognised by session and parent link only.
"""

import os
import time

from nova_async.process.cookie import COOKIE_VARIABLE
from nova_async.process.kinship import ProcessEntry, same_start

__all__ = [
    "adopted_by",
    "children_of",
    "everyone",
    "has_opted_out",
    "is_process",
    "last_pid",
    "look",
    "now",
    "path_of",
    "pid_limit",
    "resident",
]


def look(pid: int) -> ProcessEntry | None:
    """Return one process, zombies included, or None if there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            alive = process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return ProcessEntry(
                pid, process.ppid(), os.getpgid(pid), os.getsid(pid), process.create_time(), process.name(), alive
            )
    except (psutil.Error, OSError):
        return None


def everyone(since: float = 0) -> list[ProcessEntry]:
    """Return all processes that started at or after ``since`` (seconds since the epoch)."""
    import psutil

    entries = (look(pid) for pid in psutil.pids())
    return [entry for entry in entries if entry is not None and entry.start_time >= since]


def children_of(pid: int) -> list[int]:
    """Return no children: here that would be a look at all processes."""
    return []


def path_of(pid: int) -> str | None:
    """Return the family path in the environment that the process was started with; None if it has none or hides it."""
    import psutil

    try:
        return psutil.Process(pid).environ().get(COOKIE_VARIABLE)
    except (psutil.Error, OSError):
        return None


def adopted_by(pid: int) -> list[int]:
    """Return nobody: here no process adopts orphans but init."""
    return []


def has_opted_out(pid: int) -> bool:
    """Return False: here nobody asks, because nobody adopts orphans."""
    return False


def is_process(pid: int) -> bool:
    """Return True: threads have no ids of their own here."""
    return pid > 0


def last_pid() -> int | None:
    """Return None: only a look at all processes can find new ones."""
    return None


def pid_limit() -> int:
    """Return 0: the limit is not known."""
    return 0


def now() -> float:
    """Return a time (seconds since the epoch) that is not after the start of any process started from now on."""
    return time.time() - 1


def resident(pid: int, start_time: float) -> int | None:
    """Return the bytes of memory that this very process has in use; None if it has ended, or is another user's."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process.memory_info().rss if same_start(process.create_time(), start_time) else None
    except (psutil.Error, OSError):
        return None
