"""Noticing at once that a file grows which another process writes: the kernel tells, and nobody looks meanwhile."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import final

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
        self._news: News | None = None
        with contextlib.suppress(OSError, AttributeError):  # also: a libc without inotify
            self._news = News(descriptor)
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
    import ctypes

    MOST_NEWS = 64 * 1024  # bytes taken at once; what they say does not matter
    MODIFIED = 0x2

    @final
    class News:  # pyright: ignore[reportRedeclaration]  # one of the two exists, whatever the system
        """What inotify reports about a file, by its descriptor: its name may be another's by now."""

        def __init__(self, descriptor: int) -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor < 0:
                raise OSError(ctypes.get_errno(), "no inotify")
            if libc.inotify_add_watch(self._descriptor, b"/proc/self/fd/%d" % descriptor, MODIFIED) < 0:
                os.close(self._descriptor)
                raise OSError(ctypes.get_errno(), "no watch")

        def fileno(self) -> int:
            """Return the descriptor that becomes readable when there is news."""
            return self._descriptor

        def take(self) -> None:
            """Discard what has been reported so far."""
            with contextlib.suppress(BlockingIOError):
                while os.read(self._descriptor, MOST_NEWS):
                    pass

        def close(self) -> None:
            """Close everything."""
            os.close(self._descriptor)

else:
    import select

    @final
    class News:
        """What kqueue reports about a file."""

        def __init__(self, descriptor: int) -> None:
            self._queue = select.kqueue()
            told, add = select.KQ_NOTE_WRITE | select.KQ_NOTE_EXTEND, select.KQ_EV_ADD | select.KQ_EV_CLEAR
            self._queue.control([select.kevent(descriptor, select.KQ_FILTER_VNODE, add, told)], 0, 0)

        def fileno(self) -> int:
            """Return the descriptor that becomes readable when there is news."""
            return self._queue.fileno()

        def take(self) -> None:
            """Discard what has been reported so far."""
            while self._queue.control(None, 64, 0):
                pass

        def close(self) -> None:
            """Close everything."""
            self._queue.close()
