"""Keeps a view of a run up to date: often enough for the eye, and never so often that the work feels it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from typing import final

from nova_async._core.threads import DISK_THREADS
from nova_async.cli.display import Display
from nova_async.records import Event
from nova_async.views import TaskView

__all__ = ["Painter"]

SHORTEST_PAUSE = 1 / 8  # seconds between two pictures
SHARE = 10  # a picture that takes a second is drawn every ten at most


@final
class Painter:
    """Draws in a thread, one picture at a time: a terminal stopped by Ctrl-S must not stop the supervision.

    ``lost`` is called once, when nobody reads any more; the work goes on unseen.
    """

    def __init__(
        self, display: Display, views: Callable[[], Mapping[str, TaskView]], lost: Callable[[OSError], None]
    ) -> None:
        self._display = display
        self._views = views
        self._lost = lost
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._is_lost = False

    def changed(self, task_id: str | None = None) -> None:
        """Take note that something is new."""
        self._news.set()

    async def follow(self, events: AsyncGenerator[Event, None]) -> None:
        """Show the events, to the last."""
        async for event in events:
            self._display.say(event)
            self._news.set()

    async def paint(self) -> None:
        """Draw until closed; what was said before that is drawn."""
        while not self._is_lost:
            await self._next_news()
            closing = self._closing.is_set()
            self._news.clear()
            began = time.monotonic()
            await self._draw()
            if closing:
                return
            await self._pause(max(SHORTEST_PAUSE, SHARE * (time.monotonic() - began)))

    def close(self) -> None:
        """Draw once more and end."""
        self._closing.set()
        self._news.set()

    async def _next_news(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._display.rest()):
                await self._news.wait()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _draw(self) -> None:
        if self._display.wants_views:
            self._display.show(self._views())
        try:
            await asyncio.get_running_loop().run_in_executor(DISK_THREADS, self._display.draw)
        except OSError as error:
            self._is_lost = True
            self._lost(error)
