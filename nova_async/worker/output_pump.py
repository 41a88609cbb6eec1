"""From the child's pipes to its log and reader: reads as soon as there is something, and never waits for either."""

import asyncio
import fcntl
import os
import sys
import termios
from collections.abc import Callable, Collection, Mapping

from nova_async._core.awake import LATE_SECONDS
from nova_async.worker.crowd import crowd_in

__all__ = ["OutputPump"]

SMALLEST_READ = 4 * 1024  # bytes; the buffer of a single line costs nothing beside the call that reads it
LARGEST_READ = 1024 * 1024  # bytes; one pipe of the size that we ask for
LONG_TAKE = 0.02  # seconds; an event loop of a program that people use should not stand still for longer
LONGEST_TURN = 0.1  # seconds for all that waits in the pipes; what is left comes in its turn
IDLE_SECONDS = 0.5  # after the leader's exit: without a byte for this long, nothing more is coming (G1)


class OutputPump:
    """Hands every chunk that the child writes to the ``take`` of its pipe, until all pipes end or it is closed.

    ``pipes`` is each pipe's descriptor with its ``take``, which returns False to pause the reading of all of them;
    ``resume`` continues it. ``on_end`` is called at the end of the last pipe. The ``urgent`` ones are read at once,
    however many others there are.
    """

    def __init__(
        self,
        pipes: Mapping[int, Callable[[bytes], bool]],
        on_end: Callable[[], object] = lambda: None,
        *,
        urgent: Collection[int] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.crowd = crowd_in(self._loop)
        self.now = self._loop.time
        self._pipes = [_Pipe(descriptor, take, self) for descriptor, take in pipes.items()]
        self._on_end = on_end
        self._urgent = urgent
        self._reading = False
        self._ended = asyncio.Event()
        self.last_byte_at = self.now()  # of any pipe, on the loop's clock, in seconds
        self.resume()

    @property
    def is_paused(self) -> bool:
        """Whether a ``take`` has paused the reading."""
        return not self._reading and not self.at_end

    @property
    def at_end(self) -> bool:
        """Whether nothing more will be read."""
        return self._ended.is_set()

    @property
    def received(self) -> int:
        """How many bytes have come."""
        return sum(pipe.received for pipe in self._pipes)

    def resume(self) -> None:
        """Continue reading after a ``take`` paused it."""
        if self.is_paused:
            for pipe in self._pipes:
                if not pipe.at_end:
                    self.crowd.add(pipe.descriptor, pipe.read, at_once=pipe.descriptor in self._urgent)
            self._reading = True
            self.last_byte_at = self._loop.time()  # nobody could be heard during the pause

    def pause(self) -> None:
        """Stop reading until ``resume`` is called."""
        if self._reading:
            for pipe in self._pipes:
                self.crowd.remove(pipe.descriptor)
            self._reading = False

    def close(self) -> None:
        """Stop reading for good; closing the descriptors is left to their owner."""
        self.pause()
        self._ended.set()

    def read_what_is_there(self) -> None:
        """Read what the pipes hold now, without waiting, unless a ``take`` pauses the reading or is slow.

        No more than that: the child may write faster than we read, and the loop has other work.
        """
        until = self.now() + LONGEST_TURN
        for pipe in self._pipes:
            enough = pipe.received + self._waiting_in(pipe)
            while self._reading and pipe.received < enough and pipe.read() and self.now() < until:
                pass

    def silence(self, late: float) -> float:
        """Return for how many seconds nothing has come, having read what is there.

        ``late`` is by how much this is asked too late: this process stood still, and a child that was frozen with it
        could say nothing. Nor does time count in which a ``take`` has paused the reading.
        """
        self.read_what_is_there()
        now = self._loop.time()
        if late > LATE_SECONDS:
            self.last_byte_at = min(self.last_byte_at + late, now)
        return 0.0 if self.is_paused else now - self.last_byte_at

    async def drain(self, no_longer_than: float) -> None:
        """Return at the pipes' end, after ``IDLE_SECONDS`` without a byte, or after ``no_longer_than`` seconds in all.

        The idle clock stands still while a ``take`` has paused the reading. What is in the pipes now is read in any
        case, however long the pauses: it is what the leader wrote.
        """
        if self.at_end:
            return
        owed = [(pipe, pipe.received + self._waiting_in(pipe)) for pipe in self._pipes]
        self.read_what_is_there()
        self.last_byte_at = self._loop.time()
        no_longer_than += self.last_byte_at
        while not self.at_end:
            idle_from = self.last_byte_at if self._reading else self._loop.time()
            until = idle_from + IDLE_SECONDS
            if all(pipe.received >= enough for pipe, enough in owed):
                until = min(until, no_longer_than)
            if until <= self._loop.time():
                return
            try:
                async with asyncio.timeout_at(until):
                    await self._ended.wait()
            except TimeoutError:  # the clock may have been set back by a chunk
                if (late := self._loop.time() - until) > LATE_SECONDS:  # the writer may have stood still with us
                    self.last_byte_at = self._loop.time()
                    no_longer_than += late

    def note_end(self, ended: "_Pipe") -> None:
        """Take note that a pipe has ended."""
        self.crowd.remove(ended.descriptor)
        if all(pipe.at_end for pipe in self._pipes):
            self.close()
            self._on_end()

    def _waiting_in(self, pipe: "_Pipe") -> int:
        """Return how many bytes are in a pipe."""
        if self.at_end or pipe.at_end:
            return 0
        return int.from_bytes(fcntl.ioctl(pipe.descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


class _Pipe:
    """One pipe: its read end, who takes what comes, and how much has come."""

    __slots__ = ("_pump", "_size", "_take", "at_end", "descriptor", "received")

    def __init__(self, descriptor: int, take: Callable[[bytes], bool], pump: OutputPump) -> None:
        self.descriptor = descriptor
        self.received = 0  # bytes
        self.at_end = False
        self._take = take
        self._pump = pump
        self._size = SMALLEST_READ

    def read(self) -> int:
        """Read once; return how many bytes came."""
        try:
            chunk = os.read(self.descriptor, self._size)
        except BlockingIOError:
            return 0
        if not chunk:
            self.at_end = True
            self._pump.note_end(self)
            return 0
        self.received += len(chunk)
        self._pump.last_byte_at = now = self._pump.now()
        if not self._take(chunk):
            self._pump.pause()
        # A large buffer is costly to make and a small one is costly to refill: follow what the child does. What is
        # slow to take, such as a hundred thousand lines that are no events, comes in small parts: the loop is shared.
        if self._pump.now() - now > LONG_TAKE:
            self._size = max(self._size // 4, SMALLEST_READ)
        elif len(chunk) == self._size:
            self._size = min(4 * self._size, LARGEST_READ)
        elif len(chunk) < self._size // 4:
            self._size = max(self._size // 2, SMALLEST_READ)
        return len(chunk)
