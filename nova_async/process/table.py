"""The process table of this system: which of the two readers is in use, and what they have in common."""

from typing import NamedTuple, Protocol

from nova_async.process import procfs, psutil_processes
from nova_async.process.kinship import ProcessEntry

__all__ = ["TABLE", "Identity", "ProcessId", "ProcessTable"]


class Identity(Protocol):
    """Which process is meant: a pid alone may be somebody else's by now."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def start_time(self) -> float:
        """When it started, as the table counts."""
        ...


class ProcessId(NamedTuple):
    """One process and no later one of the same number."""

    pid: int
    start_time: float


class ProcessTable(Protocol):
    """Questions about processes; ``procfs`` and ``psutil_processes`` (the modules) answer them."""

    def look(self, pid: int) -> ProcessEntry | None:
        """Return one process, zombies included, or None."""
        ...

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return all processes that started at or after that time of the table's own clock."""
        ...

    def path_of(self, pid: int) -> str | None:
        """Return the family path of a process, None where it has none or hides it."""
        ...

    def is_process(self, pid: int) -> bool:
        """Tell a process from a thread."""
        ...

    def last_pid(self) -> int | None:
        """Return the pid allocated last, None where the system does not say."""
        ...

    def pid_limit(self) -> int:
        """Return the number at which the counter of pids starts over."""
        ...

    def now(self) -> float:
        """Return a start time that no process started from now on can precede."""
        ...


TABLE: ProcessTable = procfs if procfs.usable() else psutil_processes
