"""When to note the processes that an agent has started: while their parents live, all can be found (G13)."""

import asyncio
import time

from nova_async.process.family import Family
from nova_async.worker.timers import Timers

__all__ = ["Notes"]

SELDOM = 1.0  # seconds between two notes, at least
TIMER = "notes"
SHARE = 0.01  # of a core, at most, for the notes of all workers together

_workers = 0  # that take notes in this process


class Notes:
    """Notes the descendants of a family's leader, when the agent prints something: a quiet one costs nothing."""

    def __init__(self, family: Family, timers: Timers) -> None:
        global _workers
        _workers += 1
        self._due = 0.0  # on the loop's clock
        self._family = family
        self._timers = timers

    def ask(self) -> None:
        """Note the descendants: now, or as soon as it is due again, since the agent may print nothing more."""
        if TIMER in self._timers:
            return
        early = self._due - asyncio.get_running_loop().time()
        if early <= 0:
            self._take()
        elif early < float("inf"):
            self._timers.arm(TIMER, early, self._take_belated)

    def close(self) -> None:
        """Take no more notes; a second call does nothing."""
        global _workers
        if self._due != float("inf"):
            _workers -= 1
            self._due = float("inf")

    def _take_belated(self) -> None:
        self._timers.forget(TIMER)
        if self._due != float("inf"):
            self._take()

    def _take(self) -> None:
        began = time.perf_counter()
        self._family.note_descendants()
        took = time.perf_counter() - began
        self._due = asyncio.get_running_loop().time() + max(SELDOM, took * _workers / SHARE)
