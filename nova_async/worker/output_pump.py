"""From the child's pipe to its log and reader: reads as soon as there is something, and never waits for either."""

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import Callable

__all__ = ["OutputPump"]

SMALLEST_READ = 4 * 1024  # bytes; the buffer of a single line costs nothing beside the call that reads it
LARGEST_READ = 1024 * 1024  # bytes; one pipe of the size that we ask for
IDLE_SECONDS = 0.5  # after the leader's exit: without a byte for this long, nothing more is coming (G1)


class OutputPump:
    """Hands every chunk that the child writes to ``take``, until the pipe ends or is closed.

    ``take`` returns False to pause the reading; ``resume`` continues it.
    """

    def __init__(self, descriptor: int, take: Callable[[bytes], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._take = take
        self._size = SMALLEST_READ
        self._received = 0  # bytes
        self._reading = False
        self._ended = asyncio.Event()
        self.last_byte_at = self._loop.time()  # on the loop's clock, in seconds
        self.resume()

    @property
    def is_paused(self) -> bool:
        """Whether ``take`` has paused the reading."""
        return not self._reading and not self.at_end

    @property
    def at_end(self) -> bool:
        """Whether nothing more will be read."""
        return self._ended.is_set()

    def resume(self) -> None:
        """Continue reading after ``take`` paused it."""
        if self.is_paused:
            self._loop.add_reader(self._descriptor, self._read)
            self._reading = True
            self.last_byte_at = self._loop.time()  # nobody could be heard during the pause

    def close(self) -> None:
        """Stop reading for good; closing the descriptor is left to its owner."""
        self._pause()
        self._ended.set()

    def read_what_is_there(self) -> None:
        """Read what the pipe holds now, without waiting, unless ``take`` pauses the reading first.

        No more than that: the child may write faster than we read, and the loop has other work.
        """
        enough = self._received + self._waiting()
        while self._reading and self._read() and self._received < enough:
            pass

    async def drain(self, no_longer_than: float) -> None:
        """Return at the pipe's end, after ``IDLE_SECONDS`` without a byte, or after ``no_longer_than`` seconds in all.

        The idle clock stands still while ``take`` has paused the reading. What is in the pipe now is read in any case,
        however long the pauses: it is what the leader wrote.
        """
        owed = self._received + self._waiting()
        self.read_what_is_there()
        self.last_byte_at = self._loop.time()
        no_longer_than += self.last_byte_at
        while not self.at_end:
            idle_from = self.last_byte_at if self._reading else self._loop.time()
            until = idle_from + IDLE_SECONDS
            if self._received >= owed:
                until = min(until, no_longer_than)
            if until <= self._loop.time():
                return
            try:
                async with asyncio.timeout_at(until):
                    await self._ended.wait()
            except TimeoutError:
                continue  # the clock may have been set back by a chunk

    def _waiting(self) -> int:
        """Return how many bytes are in the pipe."""
        if self.at_end:
            return 0
        return int.from_bytes(fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)

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
        self._received += len(chunk)
        self.last_byte_at = self._loop.time()
        # A large buffer is costly to make and a small one is costly to refill: follow what the child does.
        if len(chunk) == self._size:
            self._size = min(4 * self._size, LARGEST_READ)
        elif len(chunk) < self._size // 4:
            self._size = max(self._size // 2, SMALLEST_READ)
        if not self._take(chunk):
            self._pause()
        return True
