"""A look at single processes that never misses the leader: it is our own child, so we need no table to know it."""

import os
from collections.abc import Callable
from typing import Protocol

from nova_async.process.kinship import UNKNOWN_START, ProcessEntry

__all__ = ["Sight", "WithLeader"]


class Sight(Protocol):
    """Who can look at one process; every process table can."""

    def look(self, pid: int) -> ProcessEntry | None:
        """Return one process, zombies included, or None."""
        ...


class WithLeader:
    """Looks at one process; the leader is found while it runs, even if the table hides it (G53).

    ``runs`` asks the kernel whether the leader ``pid``, a child of ours, has not exited. Until we reap it, its pid
    cannot be anyone else's, so the pid is proof enough.
    """

    def __init__(self, table: Sight, pid: int, runs: Callable[[], bool]) -> None:
        self.start_time: float | None = None
        """When the leader started, in the table's units, once the table has shown it; never ``UNKNOWN_START``."""
        self._table = table
        self._pid = pid
        self._runs = runs

    def look(self, pid: int) -> ProcessEntry | None:
        """Return one process, zombies included, or None."""
        entry = self._table.look(pid)
        return self.leader() if entry is None and pid == self._pid else entry

    def leader(self) -> ProcessEntry | None:
        """Return the leader, without asking the table; None once it has exited."""
        if self._pid <= 1 or not self._runs():
            return None
        try:
            group, session = os.getpgid(self._pid), os.getsid(self._pid)
        except OSError:  # it has exited and was reaped meanwhile; or a sandbox does not let us ask
            return None
        start_time = UNKNOWN_START if self.start_time is None else self.start_time
        return ProcessEntry(self._pid, os.getpid(), group, session, start_time, "?", alive=True)
