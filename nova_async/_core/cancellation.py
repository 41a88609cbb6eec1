"""Awaiting what must not be cut off: a spawn or a teardown that a cancellation may hurry but never skip."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

__all__ = ["finish", "insist", "outlast"]

T = TypeVar("T")


async def finish(task: "asyncio.Task[T]", on_cancel: Callable[[], Any]) -> T:
    """Await ``task`` to its end, whatever happens to the caller, and return its result.

    A cancellation of the caller calls ``on_cancel`` and is delivered once the task has ended. ``asyncio.shield`` and
    anyio's shielded scopes would abandon the task instead when a native ``cancel()`` comes (G16).
    """
    cancelled = await outlast(task, on_cancel)
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: it must not be reported as never retrieved
        raise cancelled
    return task.result()


async def outlast(task: "asyncio.Task[Any]", on_cancel: Callable[[], Any]) -> asyncio.CancelledError | None:
    """Wait for the end of ``task``, and return the caller's own cancellation, if one came meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    return cancelled


async def insist(do: Callable[[], Awaitable[T]], on_cancel: Callable[[asyncio.CancelledError], Any]) -> T:
    """Do what may be begun anew at any time, until it is done; each cancellation is only told.

    No task of its own is needed for it, which could be cancelled before its first step.
    """
    while True:
        try:
            return await do()
        except asyncio.CancelledError as error:
            on_cancel(error)
