"""Writing many logs in one hop to a thread: what comes while a hop is under way goes with the next.

A hop costs about 0.1 ms of CPU, most of it for waking a thread and being woken by it; a write takes a tenth of that.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, final

from nova_async._core.each_loop import OneInEachLoop
from nova_async._core.threads import DISK_THREADS

__all__ = ["Door"]

SLOW_SECONDS = 0.02  # a call that takes longer holds up no others: they go on in another thread

# Beyond this many writes a second, the logs of a busy fleet collect a little more per write instead of costing more
# than a twentieth of a core; a single worker never notices.
WRITES_PER_SECOND = 2000
BURST_SECONDS = 0.05


class WritePace:
    """Spreads the writes of all logs of the process: a leaky bucket kept as one number."""

    def __init__(self) -> None:
        self._booked_until = 0.0

    def delay(self) -> float:
        """Return how many seconds to wait before the next writes."""
        return max(0.0, self._booked_until - time.monotonic() - BURST_SECONDS)

    def book(self, writes: int) -> None:
        """Take note of writes that begin now."""
        self._booked_until = max(self._booked_until, time.monotonic()) + writes / WRITES_PER_SECOND


PACE = WritePace()


@final
class Door(Executor):
    """How the calls of one log get to a thread, for aiofiles; used in one event loop only."""

    def __init__(self) -> None:
        self._hops = hops_in(asyncio.get_running_loop())
        self.is_slow = False
        """Whether its last call held up others: the next ones go alone."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Make a call in a thread, together with those of other logs.

        The future is the loop's own, which ``run_in_executor`` passes on as it is: one that can be waited for in any
        thread would wake the loop once for each call.
        """
        return self._hops.take(_Call(lambda: fn(*args, **kwargs), self))


@final
class _Call:
    """One call for a thread, and who waits for it."""

    __slots__ = ("begun", "call", "door", "error", "future", "result", "took")

    def __init__(self, call: Callable[[], Any], door: Door) -> None:
        self.call = call
        self.door = door
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.begun = False
        self.took = 0.0  # seconds
        self.result: Any = None
        self.error: BaseException | None = None

    def make(self) -> None:
        """Make it; in a thread."""
        self.begun = True
        begin = time.monotonic()
        try:
            self.result = self.call()
        except BaseException as error:
            self.error = error
        self.took = time.monotonic() - begin

    def tell(self) -> None:
        """Tell who waits for it how it went; in the loop."""
        self.door.is_slow = self.took > SLOW_SECONDS
        if self.future.done():  # cancelled
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


@final
class _Hop:
    """Some calls, made one after another in a thread, and in a second one if the first is held up."""

    def __init__(self, calls: list[_Call]) -> None:
        self._left = deque(calls)
        self._done: deque[_Call] = deque()
        self.under_way = set(calls)
        """Those that were not told yet."""

    @property
    def has_more(self) -> bool:
        """Whether there are calls that no thread has begun."""
        return bool(self._left)

    def work(self) -> None:
        """Make the calls that no other thread has taken; in a thread."""
        with suppress(IndexError):  # there are no more
            while True:
                each = self._left.popleft()
                each.make()
                self._done.append(each)

    def fail(self, error: OSError) -> None:
        """Let the calls fail that no thread has begun."""
        while self._left:
            each = self._left.popleft()
            each.error = error
            self._done.append(each)

    def tell(self) -> None:
        """Tell those who wait for what has been done; in the loop."""
        while self._done:
            each = self._done.popleft()
            self.under_way.discard(each)
            each.tell()


@final
class _Hops:
    """The hops of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[_Call] = []
        self._hop: _Hop | None = None  # with which no more can go
        self._begin_later: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    def take(self, each: _Call) -> "asyncio.Future[Any]":
        """Make a call in a thread, together with others unless it is one that holds them up."""
        if each.door.is_slow:
            self._begin(_Hop([each]))
            return each.future
        self._waiting.append(each)
        if self._hop is not None:
            self._keep_watch(self._hop)
        elif self._begin_later is None:
            self._begin_next()
        return each.future

    def _begin_next(self) -> None:
        self._begin_later = None
        if not self._waiting:
            return
        if delay := PACE.delay():
            self._begin_later = asyncio.get_running_loop().call_later(delay, self._begin_next)
            return
        PACE.book(len(self._waiting))
        self._hop = _Hop(self._waiting)
        if len(self._waiting) > 1:
            self._keep_watch(self._hop)
        self._waiting = []
        self._begin(self._hop)

    def _begin(self, hop: _Hop) -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            hop.work()
            with suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(self._end, hop)

        try:
            DISK_THREADS.submit(work)
        except OSError as error:  # no thread could be started
            hop.fail(error)
            loop.call_soon(self._end, hop)

    def _end(self, hop: _Hop) -> None:
        hop.tell()
        if hop is self._hop:
            self._go_on()

    def _go_on(self) -> None:
        self._hop = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._begin_next()

    def _keep_watch(self, hop: _Hop) -> None:
        """Look after a hop while others wait for it."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._look_after, hop)

    def _look_after(self, hop: _Hop) -> None:
        """Let those go on that are held up, without what holds them up."""
        self._watch = None
        hop.tell()
        for each in hop.under_way:
            each.door.is_slow |= each.begun
        if hop.has_more:
            self._keep_watch(hop)
            self._begin(hop)
        elif hop is self._hop:
            self._go_on()


hops_in = OneInEachLoop(lambda loop: _Hops())
"""Returns the hops of an event loop."""
