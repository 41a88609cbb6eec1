"""One object for each event loop, shared by all in that loop for as long as one of them holds it."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar, final

__all__ = ["OneInEachLoop"]

T = TypeVar("T")


@final
class OneInEachLoop(Generic[T]):
    """Returns the object of a loop; ``make`` makes it where nobody holds one.

    Only those who share it keep it alive: what it holds itself must not keep a loop alive that is over.
    """

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], T]) -> None:
        self._make = make
        self._known: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[T]] = weakref.WeakKeyDictionary()

    def __call__(self, loop: asyncio.AbstractEventLoop) -> T:
        known = self._known.get(loop)
        found = None if known is None else known()
        if found is None:
            found = self._make(loop)
            self._known[loop] = weakref.ref(found)
        return found
