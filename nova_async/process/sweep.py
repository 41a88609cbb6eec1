"""What the orphan guard does after its supervisor's death: end every process that carries one of its cookies.

Nothing is registered beforehand, so there is no gap between a child's start and its registration.
Loaded by the guard, so it imports as little as possible.
"""

import os
import time

from nova_async.process.cookie import workers_of
from nova_async.process.kinship import find_family
from nova_async.process.signalling import send_signal, signal, wait_for_exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nova_async.process.kinship import ProcessEntry
    from nova_async.process.table import ProcessTable

__all__ = ["Orphans"]

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
UNKILLABLE_AFTER = 30.0  # seconds; then they are left to the system
BETWEEN_LOOKS = 0.01  # seconds; a process that is between fork and exec shows its cookie by then


class Orphans:
    """The families of one supervisor.

    ``supervisor`` is its id, the first half of each of its workers' names. ``pid`` is its pid, looked up while it is
    alive, so that no older process needs to be checked. ``table`` is asked about processes.
    """

    def __init__(self, supervisor: str, pid: int, table: "ProcessTable") -> None:
        entry = table.look(pid)
        self._supervisor = supervisor
        self._since = entry.start_time if entry else 0
        self._table = table
        self._released: set[str] = set()

    def end(self, released: set[str]) -> None:
        """SIGTERM, one second, SIGKILL until two looks find none; processes of released workers are spared."""
        self._released = released
        start = time.monotonic()
        found = self.find()
        for entry in found:
            send_signal(self._table, entry, signal.SIGTERM)
        while found and (left := start + GRACE - time.monotonic()) > 0:
            wait_for_exits(self._table, found, left)
            found = self.find()
        looks_without_anyone = 0
        while looks_without_anyone < 2 and time.monotonic() < start + UNKILLABLE_AFTER:
            found = self.find()
            if found:
                looks_without_anyone = 0
                for entry in found:
                    send_signal(self._table, entry, signal.SIGKILL)
                wait_for_exits(self._table, found, GRACE)
            else:
                looks_without_anyone += 1
                time.sleep(BETWEEN_LOOKS)

    def find(self) -> "list[ProcessEntry]":
        """Return all living processes that carry a cookie of this supervisor, and their descendants."""
        found = find_family(
            self._table.everyone(self._since),
            is_known=lambda entry: False,
            carries_cookie=self._is_orphan,
            never={0, 1, os.getpid()},
        )
        return sorted(found.values(), key=lambda entry: (entry.start_time, entry.pid))  # parents first

    def _is_orphan(self, pid: int) -> bool:
        workers = workers_of(self._table.path_of(pid), self._supervisor)
        return bool(workers) and self._released.isdisjoint(workers)
