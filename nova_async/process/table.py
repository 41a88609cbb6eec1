"""The process table of this system: the interface of its readers, and which of them is in use."""

from typing import NamedTuple, Protocol

from nova_async.process import blind, procfs, psutil_processes
from nova_async.process.kinship import ProcessEntry

__all__ = ["TABLE", "Identity", "ProcessId", "ProcessTable"]


class Identity(Protocol):
    """What identifies a process: a pid alone may be somebody else's by now."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def start_time(self) -> float:
        """When it started, in the table's units."""
        ...


class ProcessId(NamedTuple):
    """One process, and no later one with the same pid."""

    pid: int
    start_time: float


class ProcessTable(Protocol):
    """Questions about processes; ``procfs``, ``psutil_processes`` and ``blind`` (the modules) answer them."""

    def look(self, pid: int) -> ProcessEntry | None:
        """Return one process, zombies included, or None."""
        ...

    def everyone(self, since: float = 0) -> list[ProcessEntry]:
        """Return all processes that started at or after that time, in the table's units."""
        ...

    def children_of(self, pid: int) -> list[int]:
        """Return the children of a process, zombies included, if that costs no look at all processes."""
        ...

    def adopted_by(self, pid: int) -> list[int]:
        """Return children of a process, zombies included, among which all are that it has adopted."""
        ...

    def path_of(self, pid: int) -> str | None:
        """Return the family path of a process; None if it has none or hides it."""
        ...

    def has_opted_out(self, pid: int) -> bool:
        """Tell whether a process was started as no member of the family that it descends from."""
        ...

    def is_process(self, pid: int) -> bool:
        """Tell a process from a thread."""
        ...

    def last_pid(self) -> int | None:
        """Return the most recently allocated pid; None where the system does not say."""
        ...

    def pid_limit(self) -> int:
        """Return the number at which the counter of pids starts over."""
        ...

    def resident(self, pid: int, start_time: float) -> int | None:
        """Return the bytes of memory that a process has in use (its RSS); None if it has ended or hides it."""
        ...

    def now(self) -> float:
        """Return a time that is not after the start of any process started from now on."""
        ...


TABLE: ProcessTable = blind if blind.needed() else procfs if procfs.usable() else psutil_processes
