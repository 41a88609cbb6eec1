"""One look at all processes, shared by everyone who asked before it began.

A look costs a millisecond per fifty processes and stops the event loop for so long. When a fleet ends, each family
needs several; taken together in one turn of the loop they cost as much as one family's.
"""

import asyncio
import math
import weakref

from nova_async.process.kinship import ProcessEntry
from nova_async.process.table import ProcessTable

__all__ = ["Snapshot", "look_together"]


class Snapshot:
    """All processes started since some moment, as they are now, with the cookies of those that somebody asks for."""

    def __init__(self, table: ProcessTable, since: float) -> None:
        self.last_pid = table.last_pid()  # read first: whoever is born during the look has a later one
        self._table = table
        self._entries = table.everyone(since)
        self._paths: dict[int, str | None] = {}

    def everyone(self, since: float) -> list[ProcessEntry]:
        """Return all processes that started at or after that time of the table's own clock."""
        return [entry for entry in self._entries if entry.start_time >= since]

    def path_of(self, pid: int) -> str | None:
        """Return the family path of a process, None where it has none or hides it."""
        if pid not in self._paths:
            self._paths[pid] = self._table.path_of(pid)
        return self._paths[pid]


class NextLook:
    """The look that one event loop takes in its next turn, and who waits for it."""

    def __init__(self, table: ProcessTable) -> None:
        self._table = table
        self._since = math.inf
        self._waiting: list[asyncio.Future[Snapshot]] = []

    def join(self, since: float) -> "asyncio.Future[Snapshot]":
        """Take part in it, for processes that started at or after that time."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._take)
        self._waiting.append(loop.create_future())
        self._since = min(self._since, since)
        return self._waiting[-1]

    def _take(self) -> None:
        waiting, self._waiting = self._waiting, []
        since, self._since = self._since, math.inf
        try:
            snapshot = Snapshot(self._table, since)
        except OSError as error:
            for future in waiting:
                if not future.done():
                    future.set_exception(error)
        else:
            for future in waiting:
                if not future.done():
                    future.set_result(snapshot)


Looks = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, NextLook]]
_looks: Looks = weakref.WeakKeyDictionary()


async def look_together(table: ProcessTable, since: float) -> Snapshot:
    """Look at all processes, together with everyone in this event loop who asks in the same turn."""
    of_this_loop = _looks.setdefault(asyncio.get_running_loop(), {})
    return await of_this_loop.setdefault(id(table), NextLook(table)).join(since)
