"""The process table where no process can be seen: Linux without ``/proc``, or with that of another pid namespace (G60).

An empty table would be taken for nobody left. What the kernel still tells is whether a process group has anyone in it,
so each leader's group stands for all who are in it, as one entry with the group's number as a negative pid; a signal to
such a pid is one to the group. Leaders are our own children, and are known without a table (`sight`).
Shared with the orphan guard, so it imports nothing that the guard would have to load.
"""

import os
import sys

from nova_async.process.kinship import UNKNOWN_START, ProcessEntry

__all__ = [
    "SAID",
    "adopted_by",
    "children_of",
    "everyone",
    "has_opted_out",
    "is_process",
    "last_pid",
    "look",
    "needed",
    "now",
    "path_of",
    "pid_limit",
    "remember_group",
    "resident",
]

SAID = (
    "/proc is not mounted or shows another pid namespace, so no process can be seen: whatever leaves the process group"
    " of its agent is neither found nor ended (mount /proc; with unshare, use --mount-proc)"
)

_groups: set[int] = set()


def needed() -> bool:
    """Tell whether this system hides all processes from us."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return os.readlink("/proc/self") != str(os.getpid())  # noqa: PTH115 (a number)
    except OSError:
        return True


def remember_group(leader: int) -> None:
    """Know the group of this leader until nobody is in it: its number is nobody else's for as long."""
    _groups.add(leader)


def look(pid: int) -> ProcessEntry | None:
    """Return a group that is known, by its negative number; nothing else can be seen."""
    if -pid not in _groups:
        return None
    _reap_orphans(-pid)
    try:
        os.killpg(-pid, 0)
    except ProcessLookupError:
        _groups.discard(-pid)
        return None
    except OSError:  # we may not signal them: another user's
        pass
    return ProcessEntry(pid, 0, -pid, -pid, UNKNOWN_START, f"process group {-pid}", alive=True)


def _reap_orphans(group: int) -> None:
    """Reap the adopted members of a group: until it is reaped, a dead process still counts as one of its group.

    Only once the code that waits for the leader has reaped it: any child of ours still in the group was adopted.
    """
    try:
        os.waitid(os.P_PID, group, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return
    except ChildProcessError:
        pass
    try:
        while os.waitid(os.P_PGID, group, os.WEXITED | os.WNOHANG) is not None:
            continue
    except ChildProcessError:
        pass


def everyone(since: float = 0) -> list[ProcessEntry]:
    """Return the known groups that have anyone in them; not when they started."""
    entries = (look(-group) for group in list(_groups))
    return [entry for entry in entries if entry is not None]


def children_of(pid: int) -> list[int]:
    """Return no children."""
    return []


def adopted_by(pid: int) -> list[int]:
    """Return no children."""
    return []


def has_opted_out(pid: int) -> bool:
    """Return False: nobody can be seen to."""
    return False


def path_of(pid: int) -> str | None:
    """Return None: no environment can be seen."""
    return None


def is_process(pid: int) -> bool:
    """Return True: threads are not seen either."""
    return True


def last_pid() -> int | None:
    """Return None: only a look at all groups can find new ones."""
    return None


def pid_limit() -> int:
    """Return 0: the limit is not known."""
    return 0


def now() -> float:
    """Return 0: nothing has a start time."""
    return 0.0


def resident(pid: int, start_time: float) -> int | None:
    """Return None: nobody's memory can be seen."""
    return None
