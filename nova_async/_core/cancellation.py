"""Awaiting what must not be cut short: a spawn or a teardown that a cancellation may hurry but never skip."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

__all__ = ["finish", "insist", "outlast"]

T = TypeVar("T")


async def finish(task: "asyncio.Task[T]", on_cancel: Callable[[], Any]) -> T:
    """Await ``task`` to its end, whatever happens to the caller, and return its result.

    A cancellation of the caller calls ``on_cancel`` and is raised once the task has ended. ``asyncio.shield`` and
    anyio's shielded scopes would instead abandon the task on a native ``cancel()`` (G16).
    """
    cancelled = await outlast(task, on_cancel)
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # or asyncio reports it as never retrieved
        raise cancelled
    return task.result()


async def outlast(task: "asyncio.Task[Any]", on_cancel: Callable[[], Any]) -> asyncio.CancelledError | None:
    """Wait for the end of ``task``, and return the caller's own cancellation if there was one."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    return cancelled


async def insist(do: Callable[[], Awaitable[T]], on_cancel: Callable[[asyncio.CancelledError], Any]) -> T:
    """Repeat what may be restarted at any time until it is done; cancellations are only passed to ``on_cancel``.

    It runs in the caller's own task: a separate one could be cancelled before its first step.
    """
    while True:
        try:
            return await do()
        except asyncio.CancelledError as error:
            on_cancel(error)
