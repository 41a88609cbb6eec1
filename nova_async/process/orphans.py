"""What nova does for the orphans it has adopted: reaps them, tells the guard of them, and ends the last ones."""

import signal
import time

from nova_async.process import adoption, orphan_guard
from nova_async.process.cookie import new_cookie
from nova_async.process.family import Family
from nova_async.process.signalling import wait_for_exits
from nova_async.process.sweep import GRACE
from nova_async.process.table import TABLE

__all__ = ["Orphanage"]

NOBODY = -1  # no pid, and no number of a session


class Orphanage:
    """The adopted orphans born at or after ``since`` (in the table's units)."""

    def __init__(self, since: float) -> None:
        self.cookie = new_cookie()
        self._since = since
        self._told: set[tuple[int, float]] = set()

    def look_after(self) -> None:
        """Reap those that have exited, and let the guard know the others: if we are killed, they lose us as well."""
        adoption.reap()
        living = {(entry.pid, entry.start_time) for entry in adoption.orphans(self._since)}
        if living != self._told:
            self._told = living
            orphan_guard.watch_over(self)

    def known(self) -> list[tuple[int, float]]:
        """Return pid and start time of each; the first entry, the leader's, is empty, since orphans have none."""
        return [(NOBODY, -1.0), *sorted(self._told)]

    def end(self) -> None:
        """End those that are left, unless they may live on. Blocks.

        Normally there are none: the last family that one may belong to has ended it. What is left was born in a start
        that failed.
        """
        if adoption.orphans(self._since):
            rest = Family(0, self.cookie, born=time.monotonic(), since=self._since)
            if members := rest.members():
                rest.signal(signal.SIGTERM, members)
                wait_for_exits(TABLE, members, GRACE)
                rest.kill_now()
        adoption.reap()
        orphan_guard.forget(self.cookie)
