"""One look at all processes, taken in a thread and shared by all that asked before it began.

A look costs a millisecond per fifty processes. When a fleet ends, each family needs one or several; shared, they cost
as much as one family's, and the event loop keeps reading meanwhile.
"""

import asyncio
import math
import os
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property

from nova_async._core.threads import DiskThreads
from nova_async.process import adoption
from nova_async.process.kinship import ProcessEntry
from nova_async.process.table import ProcessTable

__all__ = ["LOOKING_THREADS", "Snapshot", "look_together"]

# Separate threads: a look must not queue behind writes to a slow disk.
LOOKING_THREADS = DiskThreads("nova-look")
COMPANY_SECONDS = 0.02  # that those who ask during a look wait for others after it: where many end, more are about to


class Snapshot:
    """All processes started since some moment, as they are now; cookies are read when asked for."""

    def __init__(self, table: ProcessTable, since: float) -> None:
        self.last_pid = table.last_pid()  # read first: a process born during the look has a later one
        self._table = table
        self._entries = table.everyone(since)
        self._paths: dict[int, str | None] = {}

    def near(self, pids: Iterable[int], sessions: Iterable[int], cookie: str, since: float) -> list[ProcessEntry]:
        """Return all who could belong to a family, among those that started at or after that time.

        They have one of these pids, are in one of these sessions, name the last worker of the ``cookie`` in their path,
        were adopted by us, or descend from such a process. To look at all processes for each of a thousand families
        that end together would take seconds.
        """
        index = self._index
        found: dict[int, ProcessEntry] = {}
        waiting = [index.by_pid[pid] for pid in pids if pid in index.by_pid]
        for session in sessions:
            waiting += index.by_session.get(session, ())
        waiting += index.by_worker.get(cookie.rpartition("/")[2], ())
        waiting += index.adopted
        while waiting:
            entry = waiting.pop()
            if entry.pid not in found and entry.start_time >= since:
                found[entry.pid] = entry
                waiting += index.children.get(entry.pid, ())
        return list(found.values())

    @cached_property
    def _index(self) -> "_Index":
        return _Index(self._entries, self.path_of)

    def prepare(self) -> None:
        """Do all that takes long, such as to read the family paths, so that nobody has to wait for it later."""
        _ = self._index

    def path_of(self, pid: int) -> str | None:
        """Return the family path of a process; None if it has none or hides it."""
        if pid not in self._paths:
            self._paths[pid] = self._table.path_of(pid)
        return self._paths[pid]


class _Index:
    """Where to find processes by what may make them members of a family."""

    def __init__(self, entries: list[ProcessEntry], path_of: Callable[[int], str | None]) -> None:
        self.by_pid = {entry.pid: entry for entry in entries}
        self.by_session: dict[int, list[ProcessEntry]] = {}
        self.by_worker: dict[str, list[ProcessEntry]] = {}  # by each element of its path
        self.children: dict[int, list[ProcessEntry]] = {}
        for entry in entries:
            self.by_session.setdefault(entry.session, []).append(entry)
            self.children.setdefault(entry.parent, []).append(entry)
            for worker in set((path_of(entry.pid) or "").split("/")):
                self.by_worker.setdefault(worker, []).append(entry)
        self.by_worker.pop("", None)  # what stands before the first element, and whoever has no path
        self.adopted = [entry for entry in self.children.get(os.getpid(), ()) if adoption.may_be_adopted(entry.pid)]


class NextLook:
    """The next look of one event loop, and those that wait for it; those that ask after it begins get a later one.

    Whoever asks while nobody looks is told at once.
    """

    def __init__(self, table: ProcessTable) -> None:
        self._table = table
        self._since = math.inf
        self._waiting: list[asyncio.Future[Snapshot]] = []
        self._looking = False

    def join(self, since: float) -> "asyncio.Future[Snapshot]":
        """Join it, for processes that started at or after that time."""
        loop = asyncio.get_running_loop()
        if not self._waiting and not self._looking:
            loop.call_soon(self._begin, loop)
        self._waiting.append(loop.create_future())
        self._since = min(self._since, since)
        return self._waiting[-1]

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        since, self._since = self._since, math.inf
        self._looking = True
        try:
            LOOKING_THREADS.submit(self._look_and_tell, loop, waiting, since)
        except OSError:  # no thread can be started
            self._end(loop, waiting, self._look(since))

    def _look(self, since: float) -> Snapshot | OSError:
        try:
            snapshot = Snapshot(self._table, since)
            snapshot.prepare()
        except OSError as error:
            return error
        return snapshot

    def _look_and_tell(
        self, loop: asyncio.AbstractEventLoop, waiting: "list[asyncio.Future[Snapshot]]", since: float
    ) -> None:
        found = self._look(since)
        with suppress(RuntimeError):  # the loop has been closed meanwhile, and nobody is waiting
            loop.call_soon_threadsafe(self._end, loop, waiting, found)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        waiting: "list[asyncio.Future[Snapshot]]",
        found: Snapshot | OSError,
    ) -> None:
        self._looking = False
        for future in waiting:
            if not future.done():
                if isinstance(found, OSError):
                    future.set_exception(found)
                else:
                    future.set_result(found)
        if self._waiting:
            loop.call_later(COMPANY_SECONDS, self._begin, loop)


Looks = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, NextLook]]
_looks: Looks = weakref.WeakKeyDictionary()


async def look_together(table: ProcessTable, since: float) -> Snapshot:
    """Look at all processes, in one look with all who ask in this event loop before it begins."""
    of_this_loop = _looks.setdefault(asyncio.get_running_loop(), {})
    return await of_this_loop.setdefault(id(table), NextLook(table)).join(since)
