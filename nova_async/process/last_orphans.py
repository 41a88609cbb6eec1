"""The end of what `adoption` has found no family for, when all families have ended."""

import signal
import time

from nova_async.process import adoption
from nova_async.process.cookie import new_cookie
from nova_async.process.family import Family
from nova_async.process.signalling import wait_for_exits
from nova_async.process.table import TABLE

__all__ = ["GRACE", "end_last_orphans"]

GRACE = 1.0  # seconds between SIGTERM and SIGKILL, as for all leftovers


def end_last_orphans(since: float) -> None:
    """End the adopted orphans born at or after ``since`` (in the table's units), unless they may live on. Blocks.

    Normally there are none: the last family that one may belong to has ended it. What is left was born in a start that
    failed.
    """
    if adoption.has_orphans():
        rest = Family(0, new_cookie(), born=time.monotonic(), since=since, leader_exit=_nobody)
        if members := rest.members():
            rest.signal(signal.SIGTERM, members)
            wait_for_exits(TABLE, members, GRACE)
            rest.kill_now()
    adoption.reap()


async def _nobody() -> None:
    """Stand in for the exit of a leader that there is not."""
