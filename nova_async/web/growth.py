"""Noticing at once that a file grows which another process writes: the kernel tells, and nobody looks meanwhile."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import final

from nova_async._core.kernel_news import KernelNews

__all__ = ["Growth"]

REST_SECONDS = 0.05  # between two calls at least: an agent may write thousands of lines a second
LOOK_SECONDS = 1.0  # between two looks where the kernel cannot tell


@final
class Growth:
    """Calls ``told`` in the event loop when an open file may have grown, at most 20 times a second."""

    def __init__(self, descriptor: int, told: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = told
        self._pause: asyncio.TimerHandle | None = None
        self._news: KernelNews | None = None
        with contextlib.suppress(OSError, AttributeError):  # also: a libc without inotify
            self._news = news_of(descriptor)
        self._listen()

    def close(self) -> None:
        """Stop listening; call it in the loop's thread."""
        if self._pause is not None:
            self._pause.cancel()
        if self._news is not None:
            self._loop.remove_reader(self._news.fileno())
            self._news.close()
            self._news = None

    def _listen(self) -> None:
        if self._news is not None:
            self._pause = None
            self._loop.add_reader(self._news.fileno(), self._heard)
        else:
            self._pause = self._loop.call_later(LOOK_SECONDS, self._look)

    def _heard(self) -> None:
        if self._news is not None:
            self._news.take()
            self._loop.remove_reader(self._news.fileno())
            self._pause = self._loop.call_later(REST_SECONDS, self._listen)
            self._told()

    def _look(self) -> None:
        self._listen()
        self._told()


if sys.platform == "linux":
    MODIFIED = 0x2

    def watch(news: KernelNews, descriptor: int) -> None:  # pyright: ignore[reportRedeclaration]
        """Have it reported when an open file grows: by its descriptor, for its name may be another's by now."""
        news.watch(b"/proc/self/fd/%d" % descriptor, MODIFIED)  # pyright: ignore[reportArgumentType]

else:
    import select

    def watch(news: KernelNews, descriptor: int) -> None:
        """Have it reported when an open file grows."""
        news.watch(descriptor, select.KQ_NOTE_WRITE | select.KQ_NOTE_EXTEND)


def news_of(descriptor: int) -> KernelNews:
    """Return what the kernel reports about the growth of an open file; raises as ``KernelNews`` does."""
    news = KernelNews()
    try:
        watch(news, descriptor)
    except OSError:
        news.close()
        raise
    return news
