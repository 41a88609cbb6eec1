"""Every process that descends from one child: found wherever it went, signalled by identity, proven gone."""

import asyncio
import os
import signal as signals
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from nova_async._core.awake import awake_timeout
from nova_async.process import adoption, at_exit, blind, orphan_guard
from nova_async.process.cookie import belongs_to
from nova_async.process.descendants import descendants
from nova_async.process.exits import until_exited
from nova_async.process.guard_notes import GuardNotes
from nova_async.process.kinship import UNKNOWN_START, Kin, ProcessEntry, find_family, same_start
from nova_async.process.member_search import LOOKS_AT_NEWCOMERS, MemberSearch
from nova_async.process.sight import WithLeader
from nova_async.process.signalling import is_still, send_signal, wait_for_exits, with_continue
from nova_async.process.snapshot import Snapshot
from nova_async.process.table import TABLE, ProcessId, ProcessTable

__all__ = ["Family", "Member"]

UNKILLABLE_AFTER = 10.0  # seconds of SIGKILL after which survivors are reported instead of waited for
ROUND = 1.0  # seconds that one round of SIGKILL waits: new members may have been born meanwhile


@dataclass(frozen=True, slots=True)
class Member:
    """One process, identified by ``pid`` and ``start_time`` together."""

    pid: int
    start_time: float  # in the process table's units: ticks since boot, or seconds
    name: str


async def nobody() -> None:
    """Stand in for the exit of a leader that is unknown, or that there is not."""


class Family:
    """A leader with its session, all descendants, all processes that carry its cookie, and all that were members once.

    ``pid`` is the leader, which also leads a session of its own; 0 for a family known by its cookie only. ``cookie`` is
    the family path. ``born`` is ``time.monotonic()``, in seconds, and ``since`` is ``table.now()``, both taken before
    the leader was started. ``leader_exit`` waits until the leader has exited and been reaped; ``leader_runs`` asks the
    kernel whether it has not exited; ``table`` is asked about processes.
    """

    def __init__(
        self,
        pid: int,
        cookie: str,
        *,
        born: float,
        since: float,
        leader_exit: Callable[[], Awaitable[object]] = nobody,
        leader_runs: Callable[[], bool] = lambda: False,
        table: ProcessTable = TABLE,
    ) -> None:
        self.pid = pid
        self.cookie = cookie
        self.leader_exit = leader_exit
        self._table = table
        self._sight = WithLeader(table, pid, leader_runs)
        leader = self._sight.look(pid) if pid else None
        if leader is not None and leader.parent != os.getpid():
            leader = None  # exited and was reaped so quickly that its pid already belongs to a stranger
        # None: it exited before we could look, so no process with its pid is the leader.
        self._leader_start = leader.start_time if leader else None
        self._sight.start_time = self.leader_start_time
        self.since = since
        """No member can be older; in the table's units."""
        self.leader_runs = leader_runs
        self._kin = Kin()
        self.guard_notes = GuardNotes(cookie, pid, self._leader_start)
        if pid:
            self._kin.sessions[pid] = leader.start_time if leader else -1.0
            if table is blind:
                blind.remember_group(pid)
        self._search = MemberSearch(
            table, self._sight, self._kin, pid=pid, cookie=cookie, born=born, since=since, recognise=self._recognise
        )
        self._had_others = False
        self._stands_still = False
        self._suspended: dict[Member, None] = {}  # in the order in which they were stopped

    def __repr__(self) -> str:
        return f"<Family of {self.pid}, cookie {self.cookie!r}>"

    @property
    def leader_start_time(self) -> float | None:
        """When the leader started, in the table's units; None if it exited before we could look, or is hidden."""
        return None if self._leader_start == UNKNOWN_START else self._leader_start

    def members(self) -> list[Member]:
        """Return all living members, the leader first, then by age; zombies and the dead do not count."""
        found = self._search.everyone()
        self._note_end(found)
        return found

    async def look(self) -> list[Member]:
        """Return what ``members`` does, from a look that other families share."""
        found = await self._search.with_others()
        self._note_end(found)
        return found

    def members_in(self, snapshot: Snapshot) -> list[Member] | None:
        """Return what ``members`` does, from a look that began after the leader's start; None if it is out of date."""
        found = self._search.in_snapshot(snapshot)
        if found is not None:
            self._note_end(found)
        return found

    def known(self) -> list[Member]:
        """Return the leader and the members seen before, if alive, without looking for others."""
        pids = [self.pid, *(pid for pid in self._kin.seen if pid != self.pid)]
        entries = (self._sight.look(pid) for pid in pids if pid > 1)
        alive = [entry for entry in entries if entry is not None and entry.alive]
        return [
            Member(entry.pid, entry.start_time, entry.name)
            for entry in alive
            if self._is_leader(entry) or same_start(self._kin.seen.get(entry.pid, -1.0), entry.start_time)
        ]

    def note_descendants(self) -> None:
        """Remember who descends from the leader now; cheap, because it looks at nobody else."""
        leader = self._sight.look(self.pid)
        if leader is not None and self._is_leader(leader):
            found = descendants(self._table, leader)
            self.note((entry.pid, entry.start_time) for entry in found)
            self.guard_notes.tell(found, self._is_still)
        adoption.look_again()

    def note(self, members: Iterable[tuple[int, float]]) -> None:
        """Remember processes, by pid and start time, that are known to be members."""
        self._kin.note(members, self._is_still)

    def others(self) -> list[Member]:
        """Return all living members but the leader; nearly free after a short life that left nothing behind."""
        found = None if self.known() else self._search.newcomers()
        return self._without_leader(self._search.everyone() if found is None else found)

    async def look_for_others(self) -> list[Member]:
        """Return what ``others`` does, from a look that other families share if one is needed."""
        found = None if self.known() else self._search.newcomers()
        return self._without_leader(await self._search.with_others() if found is None else found)

    def signal(self, sig: int, members: Iterable[Member] | None = None) -> list[Member]:
        """Send a signal to every member, or to those named, if they are still the same processes.

        SIGCONT follows, so that a stopped member notices (not after SIGKILL, SIGCONT and the stopping signals).
        Returns the members that the system does not let us signal, because they belong to another user.
        """
        to_whom = self.members() if members is None else members
        guard = orphan_guard.guard_pid()
        return [member for member in to_whom if member.pid != guard and not send_signal(self._sight, member, sig)]

    def signal_group(self, sig: int) -> None:
        """Send a signal to the leader's own process group, if that is still the family's; SIGCONT follows."""
        if self.pid <= 1 or self.pid == os.getpgrp() or not self._owns_group():
            return
        with suppress(ProcessLookupError, PermissionError):
            for each in with_continue(sig):
                os.killpg(self.pid, each)

    def release(self) -> None:
        """Let every member outlive us."""
        orphan_guard.release(self.cookie)
        adoption.left_alone(self)

    async def suspend(self) -> None:
        """Stop everyone where they stand, also those who were born while we looked; ``resume`` lets them go on.

        Raises ``OSError`` where no look at them is possible; the leader and those known before are stopped then, too.
        """
        self._stands_still = True
        self._stop_newcomers(self.known(), self._suspended)
        for _ in range(LOOKS_AT_NEWCOMERS):
            members = await self.look()
            # ``resume`` may have come during the look.
            if not self._stands_still or not self._stop_newcomers(members, self._suspended):
                return

    def resume(self) -> None:
        """Continue every process that ``suspend`` has stopped."""
        self._stands_still = False
        suspended, self._suspended = self._suspended, {}
        self.signal(signals.SIGCONT, suspended)

    async def gone(self, timeout: float | None) -> bool:
        """Wait at most ``timeout`` seconds until no member is left; return whether that is so. Woken, not polling."""
        try:
            async with awake_timeout(timeout):
                await self.leader_exit()
                looks_without_anyone = 0
                while looks_without_anyone < (2 if self._had_others else 1):
                    if others := await self.look_for_others():
                        looks_without_anyone = 0
                        await until_exited(self._sight, others)
                    else:
                        looks_without_anyone += 1
        except TimeoutError:
            return False
        return True

    async def kill(self) -> list[Member]:
        """SIGKILL all members until none is left; return those that cannot be killed.

        They are stopped first, until a look finds nobody new: one that dies while others run could leave a child that
        only its parent link gives away. Those returned belong to another user, or are in an uninterruptible system
        call after 10 s of SIGKILL.
        """
        try:
            async with awake_timeout(UNKILLABLE_AFTER):
                looks_without_anyone = 0 if await self._kill_standing_still() else 1
                refused: list[Member] = []
                while looks_without_anyone < 2:
                    mortal, refused = self._kill_each(await self.look())
                    if mortal:
                        looks_without_anyone = 0
                        with suppress(TimeoutError):
                            async with asyncio.timeout(ROUND):
                                await until_exited(self._sight, mortal)
                    else:
                        looks_without_anyone += 1
                if not any(map(self._is_leader, refused)):
                    await self.leader_exit()
        except TimeoutError:
            return self.members()
        return refused

    async def _kill_standing_still(self) -> bool:
        """Stop all members, also those born while we looked, then kill them; return whether there were any."""
        stopped: dict[Member, None] = {}
        try:
            for _ in range(LOOKS_AT_NEWCOMERS):
                if not self._stop_newcomers(await self.look(), stopped):
                    break
        finally:  # whatever happens: nobody may stay stopped
            self.signal(signals.SIGKILL, stopped)
        return bool(stopped)

    def kill_now(self, timeout: float = 2.0) -> None:
        """Do what ``kill`` does, without an event loop, until two looks find none or ``timeout`` seconds are over.

        Where no look is possible (no descriptor is left), those known before have to do.
        """
        deadline = time.monotonic() + timeout
        stopped: dict[Member, None] = {}
        try:
            for _ in range(LOOKS_AT_NEWCOMERS):
                if not self._stop_newcomers(self._members_or_known(), stopped) or time.monotonic() > deadline:
                    break
        finally:
            self.signal(signals.SIGKILL, stopped)
        looks_without_anyone = 0 if stopped else 1
        while looks_without_anyone < 2 and time.monotonic() < deadline:
            mortal, _ = self._kill_each(self._members_or_known())
            if mortal:
                looks_without_anyone = 0
                wait_for_exits(self._sight, mortal, min(ROUND, deadline - time.monotonic()))
            else:
                looks_without_anyone += 1

    def _stop_newcomers(self, members: Iterable[Member], stopped: dict[Member, None]) -> bool:
        """Send SIGSTOP to those who have not had it yet, note them, and tell whether there were any."""
        newcomers = [member for member in members if member not in stopped]
        stopped.update(dict.fromkeys(newcomers))
        self.signal(signals.SIGSTOP, newcomers)
        return bool(newcomers)

    def _kill_each(self, members: list[Member]) -> tuple[list[Member], list[Member]]:
        """SIGKILL them; return those that will die of it, and those that the system does not let us signal."""
        refused = self.signal(signals.SIGKILL, members)
        spared = set(refused)
        return [member for member in members if member not in spared], refused

    def _members_or_known(self) -> list[Member]:
        try:
            return self.members()
        except OSError:
            return self.known()

    def _without_leader(self, found: list[Member]) -> list[Member]:
        self._note_end(found)
        others = [member for member in found if not self._is_leader(member)]
        self._had_others = self._had_others or bool(others)
        return others

    def _recognise(
        self, entries: list[ProcessEntry], path_of: Callable[[int], str | None], may_be_threads: bool
    ) -> list[Member]:
        """Pick the members out of the table, or of a part of it, and remember them."""
        never = {0, 1, os.getpid(), orphan_guard.guard_pid() or 0}
        self._kin.notice_strangers(entries)
        found = find_family(
            entries,
            is_known=lambda entry: self.knows(entry) or adoption.claims(self, entry, path_of),
            carries_cookie=lambda pid: belongs_to(path_of(pid), self.cookie),
            never=never,
        )
        if may_be_threads:
            found = {pid: entry for pid, entry in found.items() if self._table.is_process(pid)}
        self._kin.meet(found.values(), self._is_still)
        self.guard_notes.tell(found.values(), self._is_still)
        # The leader first, then the older before the younger: a shell must not see its child die before it is
        # signalled itself.
        ordered = sorted(found.values(), key=lambda entry: (entry.pid != self.pid, entry.start_time, entry.pid))
        return [Member(entry.pid, entry.start_time, entry.name) for entry in ordered]

    def knows(self, entry: ProcessEntry) -> bool:
        """Tell whether it needs no further proof that this is a member."""
        return self._is_leader(entry) or self._kin.knows(entry, {self.pid}, self._table.has_opted_out)

    def _is_leader(self, who: ProcessEntry | Member) -> bool:
        return who.pid == self.pid and self._leader_start is not None and same_start(who.start_time, self._leader_start)

    def _is_still(self, pid: int, start_time: float) -> bool:
        return is_still(self._sight, ProcessId(pid, start_time))

    def _owns_group(self) -> bool:
        leader = self._sight.look(self.pid)
        if leader is not None:
            return self._is_leader(leader)  # even as a zombie: until it is reaped, its number is taken
        groups = (self._table.look(member.pid) for member in self.members())
        return any(entry is not None and entry.group == self.pid for entry in groups)

    def _note_end(self, found: list[Member]) -> None:
        if not found:
            at_exit.forget(self.cookie)
            orphan_guard.forget(self.cookie)
