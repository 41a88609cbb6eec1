"""From the child's pipe to whoever takes its output: reads as soon as there is something, and never waits."""

import asyncio
import math
import os
from collections.abc import Callable

__all__ = ["OutputPump"]

SMALLEST_READ = 64 * 1024  # bytes; one default Linux pipe, and small enough to come from the heap
LARGEST_READ = 1024 * 1024  # bytes; one pipe of the size that we ask for
IDLE_SECONDS = 0.5  # after the leader's exit: without a byte for this long, nothing more is coming (G1)


class OutputPump:
    """Hands every chunk that the child writes to ``take``, until the pipe ends or is closed.

    ``take`` returns false when it wants no more for now; ``resume`` goes on.
    """

    def __init__(self, descriptor: int, take: Callable[[bytes], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._take = take
        self._size = SMALLEST_READ
        self._reading = False
        self._ended = asyncio.Event()
        self.last_byte_at = self._loop.time()  # on the loop's clock, in seconds
        self.resume()

    @property
    def is_paused(self) -> bool:
        """Whether ``take`` has had enough for now."""
        return not self._reading and not self.at_end

    @property
    def at_end(self) -> bool:
        """Whether nothing more will be read."""
        return self._ended.is_set()

    def resume(self) -> None:
        """Read on after ``take`` had enough."""
        if self.is_paused:
            self._loop.add_reader(self._descriptor, self._read)
            self._reading = True

    def close(self) -> None:
        """Read no more; the descriptor stays its owner's to close."""
        self._pause()
        self._ended.set()

    def read_what_is_there(self) -> None:
        """Read without waiting until the pipe is empty, ended, or ``take`` has had enough."""
        while self._reading and self._read():
            pass

    async def drain(self, no_longer_than: float = math.inf) -> None:
        """Return at the pipe's end, after ``IDLE_SECONDS`` without a byte, or after ``no_longer_than`` seconds in all.

        A pause that ``take`` asked for is no silence: the idle clock stands still meanwhile.
        """
        self.read_what_is_there()
        self.last_byte_at = self._loop.time()
        no_longer_than += self.last_byte_at
        while not self.at_end:
            idle_from = self.last_byte_at if self._reading else self._loop.time()
            until = min(idle_from + IDLE_SECONDS, no_longer_than)
            if until <= self._loop.time():
                return
            try:
                async with asyncio.timeout_at(until):
                    await self._ended.wait()
            except TimeoutError:
                continue  # the clock may have been set back by a chunk

    def _pause(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._descriptor)
            self._reading = False

    def _read(self) -> bool:
        """Read once; tell whether there may be more."""
        try:
            chunk = os.read(self._descriptor, self._size)
        except BlockingIOError:
            return False
        if not chunk:
            self.close()
            return False
        self.last_byte_at = self._loop.time()
        # A large buffer is costly to make and a small one is costly to refill: follow what the child does.
        if len(chunk) == self._size:
            self._size = min(2 * self._size, LARGEST_READ)
        elif len(chunk) < self._size // 4:
            self._size = max(self._size // 2, SMALLEST_READ)
        if not self._take(chunk):
            self._pause()
        return True
