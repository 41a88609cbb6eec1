"""Where to look for the members of one family: among all processes, or only among those born since its leader."""

import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from nova_async.process.kinship import Kin, ProcessEntry, pids_to_look_at
from nova_async.process.sight import WithLeader
from nova_async.process.snapshot import Snapshot, look_together
from nova_async.process.table import ProcessTable

__all__ = ["LOOKS_AT_NEWCOMERS", "MemberSearch"]

LOOKS_AT_NEWCOMERS = 8  # then the next look at all processes has to decide

Found = TypeVar("Found")
PathOf = Callable[[int], str | None]


class MemberSearch(Generic[Found]):
    """Looks at the process table for one family, whose ``pid``, ``cookie``, ``born`` and ``since`` these are.

    ``recognise`` picks the members out of entries of the table; it also takes what tells the family path of a pid, and
    whether some of the entries may be threads. ``kin`` forgets the family's sessions once nobody is left.
    """

    def __init__(
        self,
        table: ProcessTable,
        sight: WithLeader,
        kin: Kin,
        *,
        pid: int,
        cookie: str,
        born: float,
        since: float,
        recognise: Callable[[list[ProcessEntry], PathOf, bool], list[Found]],
    ) -> None:
        self._table = table
        self._sight = sight
        self._kin = kin
        self._pid = pid
        self._cookie = cookie
        self._born = born
        self._since = since
        self._recognise = recognise

    async def with_others(self) -> list[Found]:
        """Look at all processes, in a look that other families share, and at those born meanwhile."""
        for _ in range(LOOKS_AT_NEWCOMERS):
            snapshot = await look_together(self._table, self._since)
            found = self._pick(snapshot)
            if found is not None:
                return found
        return self.everyone()

    def in_snapshot(self, snapshot: Snapshot) -> list[Found] | None:
        """Look at what a look has found that began after the leader's start; None if that is out of date by now."""
        return self._pick(snapshot)

    def everyone(self) -> list[Found]:
        """Look at all processes, and at those born meanwhile."""
        for _ in range(LOOKS_AT_NEWCOMERS):
            found = self._pick(Snapshot(self._table, self._since))
            if found is not None:
                return found
        return []

    def newcomers(self) -> list[Found] | None:
        """Look only at pids allocated since the leader's, few after a short life. None if that is not enough."""
        done = self._pid
        for _ in range(LOOKS_AT_NEWCOMERS):
            last = self._table.last_pid()
            if last is None or not self._pid:
                return None
            elapsed = time.monotonic() - self._born
            if pids_to_look_at(self._pid, last, elapsed, self._table.pid_limit()) is None:
                return None
            if last == done:  # nothing was born since then, and nobody born before is a member
                return []
            if found := self._among(range(done + 1, last + 1)):
                return found
            done = last
        return None

    def _pick(self, snapshot: Snapshot) -> list[Found] | None:
        """Pick the members out of a look; None if so many were born meanwhile that another look is needed.

        If it finds none, a member may have forked and exited during the look, before its turn came: its child is among
        the processes born since the look began.
        """
        last = snapshot.last_pid
        sessions = self._kin.sessions
        entries = snapshot.near({self._pid, *self._kin.seen, *sessions}, sessions, self._cookie, self._since)
        found = self._recognise(self._with_leader(entries), snapshot.path_of, False)
        for _ in range(LOOKS_AT_NEWCOMERS):
            newest = self._table.last_pid()
            if found or last is None or newest is None or newest == last:
                break
            newcomers = pids_to_look_at(last, newest, 0, self._table.pid_limit())
            if newcomers is None:
                return None
            found = self._among(newcomers)
            last = newest
        if not found:
            self._kin.sessions.clear()
        return found

    def _with_leader(self, entries: list[ProcessEntry]) -> list[ProcessEntry]:
        """Add the leader where the table hides it."""
        if any(entry.pid == self._pid for entry in entries) or (leader := self._sight.leader()) is None:
            return entries
        return [leader, *entries]

    def _among(self, pids: Iterable[int]) -> list[Found]:
        """Look at these pids one by one; the table shows threads in this way, too."""
        entries = [self._table.look(pid) for pid in pids]
        born_since = [entry for entry in entries if entry is not None and entry.start_time >= self._since]
        return self._recognise(born_since, self._table.path_of, True) if born_since else []
