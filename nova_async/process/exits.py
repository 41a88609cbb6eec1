"""Waiting in an event loop for processes that are not our children, without polling."""

import asyncio
import os
from collections.abc import Iterable

from nova_async.process.sight import Sight
from nova_async.process.signalling import LONGEST_PAUSE, SHORTEST_PAUSE, is_still, open_pidfd
from nova_async.process.table import Identity

__all__ = ["until_exited"]


async def until_exited(table: Sight, whom: Iterable[Identity]) -> None:
    """Wait until all of them have exited: woken by pidfds, or checking again at intervals where there are none."""
    loop = asyncio.get_running_loop()
    all_exited = loop.create_future()
    pidfds: set[int] = set()
    unwatched: list[Identity] = []

    def forget(pidfd: int) -> None:
        loop.remove_reader(pidfd)
        pidfds.remove(pidfd)
        os.close(pidfd)

    def on_exit(pidfd: int) -> None:
        forget(pidfd)
        if not pidfds and not all_exited.done():
            all_exited.set_result(None)

    try:
        for who in whom:
            try:
                pidfd = open_pidfd(who.pid)
            except ProcessLookupError:
                continue
            if pidfd is None:
                unwatched.append(who)
            elif is_still(table, who):
                pidfds.add(pidfd)
                loop.add_reader(pidfd, on_exit, pidfd)
            else:
                os.close(pidfd)
        if pidfds:
            await all_exited
        pause = SHORTEST_PAUSE
        while unwatched := [who for who in unwatched if is_still(table, who)]:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    finally:
        for pidfd in list(pidfds):
            forget(pidfd)
