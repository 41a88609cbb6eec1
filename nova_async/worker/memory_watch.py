"""Looking at how much memory families use: one sampler for all of a loop's workers that have a limit of it."""

import asyncio
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from nova_async.process.family import Family, Member
from nova_async.process.snapshot import LOOKING_THREADS, look_together
from nova_async.process.table import TABLE

__all__ = ["unwatch", "watch"]

SELDOM = 1.0  # seconds between two looks, at least
MOST_SELDOM = 10.0  # seconds; on a busy machine too a limit is looked at this often
SHARE = 0.02  # of the time, at most, that is spent on looks, for however many workers

Note = Callable[[int], object]


class _Sampler:
    """Adds up the resident memory of families now and then, while there are any, and tells each one's ``Note``."""

    def __init__(self) -> None:
        self.watched: dict[Family, Note] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look from now on, unless it does already."""
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._sample(), name="nova memory")

    def end(self) -> None:
        """Look no more."""
        if self._task is not None and not self._task.get_loop().is_closed():
            self._task.cancel()
        self._task = None

    async def _sample(self) -> None:
        pause = SELDOM
        while True:
            await asyncio.sleep(pause)
            began = time.perf_counter()
            with suppress(OSError):  # no descriptor or thread is left for a look
                await self._look()
            pause = min(max(SELDOM, (time.perf_counter() - began) / SHARE), MOST_SELDOM)

    async def _look(self) -> None:
        families = list(self.watched)  # not those that come during the look, which may miss them
        snapshot = await look_together(TABLE, min(family.since for family in families))
        members: dict[Family, Sequence[Member]] = {}
        for family in families:
            if family in self.watched:  # it may have ended meanwhile
                members[family] = family.members_in(snapshot) or ()
                await asyncio.sleep(0)  # a fleet takes a while, and the loop has other work
        found = await asyncio.wrap_future(LOOKING_THREADS.submit(add_up, members))
        for family, size in found.items():
            if (note := self.watched.get(family)) is not None:
                note(size)


def add_up(members: Mapping[Family, Sequence[Member]]) -> dict[Family, int]:
    """Return the bytes of resident memory of each family; of a process that has ended meanwhile, none."""
    return {
        family: sum(TABLE.resident(member.pid, member.start_time) or 0 for member in of_it)
        for family, of_it in members.items()
    }


_samplers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Sampler]" = weakref.WeakKeyDictionary()


def watch(family: Family, note: Note) -> None:
    """Have ``note`` called now and then, in this loop, with the bytes that the family uses."""
    loop = asyncio.get_running_loop()
    sampler = _samplers.setdefault(loop, _Sampler())
    sampler.watched[family] = note
    sampler.begin(loop)


def unwatch(loop: asyncio.AbstractEventLoop, family: Family) -> None:
    """Look at it no more; a second call does nothing, and neither does one for a family that was never watched."""
    sampler = _samplers.get(loop)
    if sampler is None or sampler.watched.pop(family, None) is None:
        return
    if not sampler.watched:
        del _samplers[loop]
        sampler.end()
