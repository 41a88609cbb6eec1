"""When to note whom an agent has started: as long as their parents live, everyone can be found (G13)."""

import time

from nova_async.process.family import Family

__all__ = ["Notes"]

SELDOM = 1.0  # seconds between two notes, at least
SHARE = 0.01  # of a core, at most, for the notes of all workers together

_workers = 0  # that take notes in this process


class Notes:
    """Notes the descendants of a family's leader, when the agent prints something: a quiet one costs nothing.

    ``due`` is the time, on the loop's clock, before which there is nothing to do.
    """

    def __init__(self, family: Family) -> None:
        global _workers
        _workers += 1
        self.due = 0.0
        self._family = family

    def take(self, now: float) -> None:
        """Note who is there at this time of the loop's clock."""
        began = time.perf_counter()
        self._family.note_descendants()
        took = time.perf_counter() - began
        self.due = now + max(SELDOM, took * _workers / SHARE)

    def close(self) -> None:
        """Take no more notes; a second call does nothing."""
        global _workers
        if self.due != float("inf"):
            _workers -= 1
            self.due = float("inf")
