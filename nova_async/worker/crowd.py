"""Reading the pipes of many children: a fleet that talks wakes the event loop now and then, not for each line."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any, final

from nova_async._core.each_loop import OneInEachLoop

__all__ = ["Crowd", "crowd_in"]

FEW = 8  # pipes that the loop itself watches: a line of one of so few is read at once
GATHER_SECONDS = 0.005  # what many say in that time is read in one turn; nobody sees that it waited
TELL_SECONDS = 0.05  # of many, what is known by their output is told as often as somebody could see it change
TALK = 4 * 1024  # bytes; who prints more at a time is not kept waiting: its pipe would be full soon


@final
class Crowd:
    """All pipes that one event loop reads, each with what reads it and returns how many bytes it has read."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._readers: dict[int, Callable[[], int]] = {}
        self._apart: set[int] = set()
        # A selector of our own can be watched as if it were a pipe, where it is a kernel's object (epoll, kqueue).
        self._selector: Any = None
        self._pause: asyncio.TimerHandle | None = None
        self._owed: dict[Callable[[], None], None] = {}
        self._telling: asyncio.TimerHandle | None = None

    def add(self, descriptor: int, read: Callable[[], int], *, at_once: bool = False) -> None:
        """Call ``read`` from now on when there is something in a pipe, or it has ended; if need be always at once."""
        if at_once:
            self._apart.add(descriptor)
            self._loop.add_reader(descriptor, read)
            return
        self._readers[descriptor] = read
        if self._selector is not None:
            self._selector.register(descriptor, selectors.EVENT_READ)
        elif len(self._readers) <= FEW or not hasattr(selectors.DefaultSelector, "fileno"):
            self._loop.add_reader(descriptor, read)
        else:
            self._begin_turns(descriptor)

    def remove(self, descriptor: int) -> None:
        """Call it no more; a pipe that is not there is left alone."""
        if descriptor in self._apart:
            self._apart.remove(descriptor)
            self._loop.remove_reader(descriptor)
        if self._readers.pop(descriptor, None) is None:
            return
        if self._selector is None:
            self._loop.remove_reader(descriptor)
            return
        self._selector.unregister(descriptor)
        if len(self._readers) <= FEW:
            self._end_turns()

    def tell(self, call: Callable[[], None]) -> None:
        """Make a call that tells what has been read: at once, or where many talk soon, and once for all until then."""
        if self._selector is None:
            call()
            return
        self._owed[call] = None
        if self._telling is None:
            self._telling = self._loop.call_later(TELL_SECONDS, self._tell_all)

    def owes(self, call: Callable[[], None]) -> bool:
        """Forget a call that was to be made soon; tell whether there was one."""
        return self._owed.pop(call, call) is None

    def _tell_all(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        while self._owed:
            call, _ = self._owed.popitem()
            try:
                call()
            except Exception as error:
                self._loop.call_exception_handler({"message": "telling of an output failed", "exception": error})

    def _begin_turns(self, newcomer: int) -> None:
        try:
            self._selector = selectors.DefaultSelector()
        except OSError:  # no descriptor is left: the loop watches this one, too, until the next comes
            self._loop.add_reader(newcomer, self._readers[newcomer])
            return
        for descriptor in self._readers:
            if descriptor != newcomer:
                self._loop.remove_reader(descriptor)
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._listen()

    def _end_turns(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._loop.remove_reader(self._selector.fileno())
        self._selector.close()
        self._selector = None
        for descriptor, read in self._readers.items():
            self._loop.add_reader(descriptor, read)
        self._tell_all()

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._selector.fileno(), self._take_turn)

    def _take_turn(self) -> None:
        """Read once from each pipe that has something; then leave time for more to gather, unless it was much."""
        most = 0
        for key, _ in self._selector.select(0):
            if (read := self._readers.get(key.fd)) is not None:  # else an earlier one has had it removed
                try:
                    most = max(most, read())
                except Exception as error:  # as for a reader of the loop itself: it is told, and the others go on
                    self._loop.call_exception_handler({"message": "reading a pipe failed", "exception": error})
        if most < TALK and self._selector is not None:
            self._loop.remove_reader(self._selector.fileno())
            self._pause = self._loop.call_later(GATHER_SECONDS, self._listen)


crowd_in = OneInEachLoop(Crowd)
"""Returns the crowd of an event loop."""
