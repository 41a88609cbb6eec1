"""One client of a run: what is still to be sent to it, within bounds, however slowly it reads."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import final

from nova_async.control.protocol import Kind

__all__ = ["Subscriber"]

MOST_UNSENT = 1024 * 1024  # bytes of changes for a client that does not read: minutes of a busy run; then a snapshot
CHUNK = 64 * 1024  # bytes handed to the system at a time: of a long line no second copy waits in memory


@final
class Subscriber:
    """A client, and what waits for it. The pieces of a line are shared by all clients: each costs only references.

    ``catch_up`` is called when a client that has missed changes has read what was before them.
    """

    def __init__(self, writer: asyncio.StreamWriter, catch_up: Callable[["Subscriber"], object]) -> None:
        self.is_watching = False
        self.since: int | None = None
        """The number of the last event that it knows; None if it does not say."""
        self.is_behind = False
        """Whether it needs a snapshot: changes were not sent to it."""
        self.unanswered: set[asyncio.Task[None]] = set()
        """What it has asked that is being recorded; then it is answered."""
        self._writer = writer
        self._catch_up = catch_up
        self._lines: deque[tuple[Kind, Sequence[bytes]]] = deque()
        self._unsent = 0
        self._sending: asyncio.Task[None] | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        writer.transport.set_write_buffer_limits(high=CHUNK)

    def put(self, kind: Kind, line: Sequence[bytes]) -> None:
        """Send a line, now or when there is room: changes that do not fit are replaced by a snapshot later."""
        if kind is Kind.CHANGE and (self.is_behind or self._unsent > MOST_UNSENT):
            self._skip_changes()
            return
        if self._sending is None and len(line) == 1 and self._is_idle():
            self._writer.write(line[0])  # at once: for most lines no task has to be woken
            return
        self._lines.append((kind, line))
        self._unsent += sum(map(len, line))
        if self._unsent > MOST_UNSENT:
            self._has_room.clear()
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def room(self) -> None:
        """Wait until it has read most of what is there: who does not read the answers has no more commands read."""
        await self._has_room.wait()

    async def flush(self) -> None:
        """Wait until all has been handed to the system."""
        while self._sending is not None:
            await asyncio.wait([self._sending])
        transport = self._writer.transport
        if not transport.is_closing():  # uvloop raises otherwise
            transport.set_write_buffer_limits(high=0)
            with suppress(OSError):
                await self._writer.drain()

    def abort(self) -> None:
        """Let it go, with whatever it has not read."""
        if self._sending is not None:
            self._sending.cancel()
        self._writer.transport.abort()

    @property
    def is_ready(self) -> bool:
        """Whether it has read what was there for it, or nearly."""
        return self._sending is None

    def _is_idle(self) -> bool:
        return self._writer.transport.get_write_buffer_size() == 0

    def _skip_changes(self) -> None:
        if not self.is_behind:
            self.is_behind = True
            skipped = sum(sum(map(len, line)) for kind, line in self._lines if kind is Kind.CHANGE)
            self._lines = deque((kind, line) for kind, line in self._lines if kind is not Kind.CHANGE)
            self._unsent -= skipped

    async def _send(self) -> None:
        try:
            while self._lines:
                _, line = self._lines.popleft()
                size = sum(map(len, line))
                for chunk in in_chunks(line):
                    self._writer.write(chunk)
                    await self._writer.drain()
                self._unsent -= size
                if self._unsent <= MOST_UNSENT:
                    self._has_room.set()
        except OSError:  # it has gone; whoever reads from it finds out
            self._lines.clear()
            self._unsent = 0
        finally:
            self._sending = None
            self._has_room.set()
        if self.is_behind:
            self._catch_up(self)


def in_chunks(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Join pieces to about as much as is written at a time."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
