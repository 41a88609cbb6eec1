"""What changes, as it changes: server-sent events, each with the number of the journal's latest event as its id.

A page that comes back names the last id that it has seen, and is told what has changed since. A page that does not
read holds nothing of ours but its connection: what has changed meanwhile is gathered in the picture of the run.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import final

from sse_starlette import EventSourceResponse, ServerSentEvent

from nova_async._core.threads import in_thread
from nova_async.web.answers import as_json
from nova_async.web.growth import Growth
from nova_async.web.logs import Log
from nova_async.web.opening import opened
from nova_async.web.source import Source

__all__ = ["MOST_FEEDS", "Feed", "Stream"]

GATHER_SECONDS = 0.05  # between two events to a page: what changes faster is gathered
BEAT_SECONDS = 15  # between two comments, by which a dead connection is noticed; the only wake-up of a quiet page
MOST_FEEDS = 64  # pages at once; each costs a connection and, at worst, 64 KiB that its system has not taken
MOST_AT_ONCE = 200  # tasks written in the event loop; more of them in a thread


@final
class Stream(EventSourceResponse):
    """The answer that an open page reads.

    The library would ask twice a second whether uvicorn is about to stop. A feed knows when it is: nobody is woken.
    """

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, ping=BEAT_SECONDS, ping_message_factory=beat, sep="\n")

    async def _listen_for_exit_signal_with_grace(self) -> None:
        await asyncio.Event().wait()  # until the feed has ended, or the page has gone


def beat() -> ServerSentEvent:
    """Return the comment that says only that we are there."""
    return ServerSentEvent(comment="", sep="\n")


def event(kind: str, data: bytes, number: int | None = None) -> bytes:
    """Write an event; JSON has no line ends."""
    identity = b"" if number is None else b"id: %d\n" % number
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), identity, data)


@final
class Feed:
    """What one page is told: first where the run stands, then what changes, until ``ended`` is set."""

    def __init__(
        self, source: Source, ended: asyncio.Event, *, last: int | None = None, logs: Sequence[tuple[str, int]] = ()
    ) -> None:
        self._source = source
        self._ended = ended
        self._last = last
        self._wanted = logs
        self._logs: dict[Log, int] = {}  # with the size that was told last

    async def events(self) -> AsyncIterator[bytes]:
        """Give the events."""
        loop, picture = asyncio.get_running_loop(), self._source.picture
        with contextlib.ExitStack() as stack:
            grown = asyncio.Event()
            for task_id, attempt in self._wanted:
                board = self._source.board
                log = await opened(board, self._source.places, task_id, attempt) if board is not None else None
                if log is not None:
                    stack.callback(log.file.close)
                    stack.callback(Growth(log.file.fileno(), grown.set).close)
                    self._logs[log] = -1
            grown.set()
            turn = picture.turn_of(self._last) if self._last is not None else None
            number, was_over = self._last or 0, None
            while not self._ended.is_set():
                rung, sent = self._source.rung, loop.time()
                if turn != picture.turn:
                    change = picture.since(turn, number) if turn is not None else None
                    turn, number = picture.turn, picture.number
                    if not picture.is_known:
                        yield event("nothing", as_json({"error": self._source.problem}))
                    elif change is None:
                        yield event("snapshot", await self._snapshot(), number)
                    else:
                        yield event("change", change, number)
                is_over = bool(picture.head.get("is_over", True))
                if is_over and was_over is False:
                    yield event("over", as_json({"condition": picture.head.get("condition")}), number)
                was_over = is_over
                if grown.is_set():
                    grown.clear()
                    for line in self._growths():
                        yield line
                await first_of(rung, grown, self._ended)
                await asyncio.sleep(max(sent + GATHER_SECONDS - loop.time(), 0))

    async def _snapshot(self) -> bytes:
        picture = self._source.picture
        if len(picture) > MOST_AT_ONCE:
            await in_thread(picture.write)
        return picture.snapshot()

    def _growths(self) -> list[bytes]:
        sizes = {log: log.size for log in self._logs}
        grown = [log for log, size in sizes.items() if size != self._logs[log]]
        self._logs = sizes
        return [
            event("log", as_json({"task": log.task_id, "attempt": log.number, "size": sizes[log]})) for log in grown
        ]


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.ensure_future(each.wait()) for each in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
