"""Seconds in which this process ran: those in which it stood still, in a frozen container say, do not count (G71)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["LATE_SECONDS", "PARTS", "awake_timeout"]

LATE_SECONDS = 0.1  # a timer that fires this much too late tells that we stood still, or that the loop was held up
# No clock of the system tells how long we stood still, so a long wait is cut into parts: however long a standstill, it
# takes away one part at most, and four timers in place of one cost nothing.
PARTS = 4


@asynccontextmanager
async def awake_timeout(seconds: float | None) -> AsyncIterator[None]:
    """Do as ``asyncio.timeout`` does, but count only time in which this process ran, and the child had its chance."""
    if seconds is None:
        yield
        return
    loop = asyncio.get_running_loop()
    part = max(seconds, 0.0) / PARTS
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def count(parts: int) -> None:
            nonlocal timer
            if parts == PARTS:
                limit.reschedule(loop.time())
            else:
                timer = loop.call_later(part, count, parts + 1)

        timer = loop.call_later(part, count, 1)
        try:
            yield
        finally:
            timer.cancel()
