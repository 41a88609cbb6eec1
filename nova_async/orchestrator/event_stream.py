"""What happens in a run, for any number of listeners, each at its own pace."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import final

from nova_async.records import Event

__all__ = ["EventStream"]

MOST_WAITING = 100_000  # events for one listener that does not keep up: some 50 MB; then its oldest are dropped


@final
class EventStream:
    """Hands every event to all who follow."""

    def __init__(self) -> None:
        self._queues: list[deque[Event]] = []
        self._news = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Hand out one more event; returns at once."""
        for queue in self._queues:
            queue.append(event)
        self._wake()

    def close(self) -> None:
        """Let the followers end once they have seen everything."""
        self._closed = True
        self._wake()

    def follow(self) -> AsyncGenerator[Event, None]:
        """Iterate over the events from now on, until the stream is closed."""
        queue: deque[Event] = deque(maxlen=MOST_WAITING)
        self._queues.append(queue)  # now, and not at the first step: nothing that happens in between is missed
        return self._each(queue)

    async def _each(self, queue: deque[Event]) -> AsyncGenerator[Event, None]:
        try:
            while True:
                while queue:
                    yield queue.popleft()
                if self._closed:
                    return
                await self._news.wait()
        finally:
            self._queues = [other for other in self._queues if other is not queue]

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
