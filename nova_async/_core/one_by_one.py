"""Calls that may hang, such as those to a network disk: made one after the other in a thread, never waited for long."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, final

from nova_async._core.threads import DISK_THREADS

__all__ = ["OneByOne"]

T = TypeVar("T")

MOST_WAITING = 200  # calls that wait behind one that hangs; ours are a few for each account of a run


@final
class OneByOne:
    """Makes calls in the order in which they were asked for.

    Nobody waits for them longer than ``patience`` seconds. While one is late, nobody waits at all; ``on_late`` is
    called once each time when that begins, in the event loop.
    """

    def __init__(self, patience: float, on_late: Callable[[], object]) -> None:
        self._patience = patience
        self._on_late = on_late
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._is_working = False
        self._late: Future[Any] | None = None

    async def call(self, fn: Callable[[], T]) -> T | None:
        """Return what ``fn`` returns, or None if that takes too long; raises what it raises."""
        if self._late is not None and not self._late.done():
            return None
        asked = self._ask(fn)
        if asked is None:
            return None
        await asyncio.wait([done := asyncio.wrap_future(asked)], timeout=self._patience)
        if done.done():
            return done.result()
        done.add_done_callback(forget)  # whatever it becomes
        asked.cancel()  # unless it has begun
        self._late = self._ask(lambda: None)  # the line moves again once this one's turn has come
        self._on_late()
        return None

    def soon(self, fn: Callable[[], object]) -> None:
        """Have ``fn`` called, which must not raise; not at all if too many calls wait."""
        self._ask(fn)

    async def settle(self) -> None:
        """Wait until everything asked for up to now has been done, or is late."""
        await self.call(lambda: None)

    def _ask(self, fn: Callable[[], T]) -> "Future[T] | None":
        future: Future[T] = Future()
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                return None
            self._waiting.append((future, fn))
            if self._is_working:
                return future
            self._is_working = True
        try:
            DISK_THREADS.submit(self._work)
        except OSError:  # no thread can be started: the next one to ask tries again
            with self._lock:
                self._is_working = False
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_working = False
                    return
                future, fn = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    result = fn()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)


def forget(done: "asyncio.Future[Any]") -> None:
    """Take note of how a call ended that nobody waits for any more, so that nothing complains about it."""
    if not done.cancelled():
        done.exception()
