"""What the orphan guard does after its supervisor's death: end every process of its families.

A process is known by its cookie, for which nothing has to be registered: so there is no gap between a child's start and
its registration. Who may have no cookie (``env -i``) is known by pid and start time, as the supervisor has told it, by
the session of such a leader, and by descent. Loaded by the guard, so it imports as little as possible.
"""

import os
import time

from nova_async.process import blind
from nova_async.process.cookie import workers_of
from nova_async.process.kinship import Kin, find_family
from nova_async.process.signalling import is_still, send_signal, signal, wait_for_exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nova_async.process.kinship import ProcessEntry
    from nova_async.process.table import ProcessTable

__all__ = ["GRACE", "KnownProcess", "Orphans"]

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
AGENTS_FIRST = 0.5  # of these seconds that agents get before the rest does; Claude Code takes 0.1 to 0.3
UNKILLABLE_AFTER = 30.0  # seconds; then they are left to the system
BETWEEN_LOOKS = 0.01  # seconds; a process that is between fork and exec shows its cookie by then


class KnownProcess:
    """A process that a supervisor has seen in one of its families; ``leads`` if it was started as a worker's leader."""

    __slots__ = ("leads", "pid", "start_time")

    def __init__(self, pid: int, start_time: float, leads: bool) -> None:
        self.pid = pid
        self.start_time = start_time  # in the table's units
        self.leads = leads


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
        self._kin = Kin()
        self._leaders: set[int] = set()

    def know(self, known: "Iterable[KnownProcess]") -> None:
        """Count these as members, with the sessions that leaders lead, and all their descendants.

        A leader's number may stand for its session even if the leader itself is dead. It is not a stranger's: the
        system gives it to nobody while anyone is left in that session, and once nobody is, the supervisor says within a
        look that the family is over. A stranger that has got the number since is told by the start time.
        """
        for process in known:
            self._kin.seen[process.pid] = process.start_time
            if process.leads:
                self._leaders.add(process.pid)
                if self._table is blind:
                    blind.remember_group(process.pid)
                self._kin.sessions[process.pid] = process.start_time

    def end(self, released: set[str]) -> "list[ProcessEntry]":
        """SIGTERM, one second, SIGKILL until two looks find none; processes of released workers are spared.

        Agents get theirs first, by the sessions that our leaders lead: one whose tool ended before it would take that
        for the tool's answer, and pay for another call of its model while it is leaving. All of them start their tools
        in sessions of their own.

        Returns those that are left: another user's, or stuck in the kernel for 30 s.
        """
        self._released = released
        start = time.monotonic()
        found = self._terminate()
        while found and (left := start + GRACE - time.monotonic()) > 0:
            wait_for_exits(self._table, found, left)
            found = self._mortal(0)
        looks_without_anyone = 0
        while looks_without_anyone < 2 and time.monotonic() < start + UNKILLABLE_AFTER:
            if found := self._mortal(signal.SIGKILL):
                looks_without_anyone = 0
                wait_for_exits(self._table, found, GRACE)
            else:
                looks_without_anyone += 1
                time.sleep(BETWEEN_LOOKS)
        return self.find()

    def _terminate(self) -> "list[ProcessEntry]":
        """SIGTERM to the agents, then to all others; return those that the system lets us signal."""
        agents = [
            entry for entry in self.find() if entry.session in self._leaders and entry.session in self._kin.sessions
        ]
        told = {entry.pid: entry.start_time for entry in agents}
        agents = [entry for entry in agents if send_signal(self._table, entry, signal.SIGTERM)]
        wait_for_exits(self._table, agents, AGENTS_FIRST)
        others = [entry for entry in self.find() if told.get(entry.pid) != entry.start_time]
        others = [entry for entry in others if send_signal(self._table, entry, signal.SIGTERM)]
        return [*(entry for entry in agents if self._is_still(entry.pid, entry.start_time)), *others]

    def _mortal(self, sig: int) -> "list[ProcessEntry]":
        """Signal all that are left, and return those that the system lets us signal."""
        return [entry for entry in self.find() if send_signal(self._table, entry, sig)]

    def find(self) -> "list[ProcessEntry]":
        """Return all living processes that carry a cookie of this supervisor or are known, and their descendants."""
        entries = self._table.everyone(self._since)
        self._kin.notice_strangers(entries)
        found = find_family(
            entries,
            is_known=lambda entry: self._kin.knows(entry, self._leaders, self._table.has_opted_out),
            carries_cookie=self._is_orphan,
            never={0, 1, os.getpid()},
        )
        self._kin.meet(found.values(), self._is_still)  # who loses the parent to our first signal stays known
        return sorted(found.values(), key=lambda entry: (entry.start_time, entry.pid))  # parents first

    def _is_still(self, pid: int, start_time: float) -> bool:
        return is_still(self._table, KnownProcess(pid, start_time, leads=False))

    def _is_orphan(self, pid: int) -> bool:
        workers = workers_of(self._table.path_of(pid), self._supervisor)
        return bool(workers) and self._released.isdisjoint(workers)
