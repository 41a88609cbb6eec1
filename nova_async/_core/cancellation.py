"""Awaiting what must not be cut short: a spawn or a teardown that a cancellation may hurry but never skip."""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

__all__ = ["complete", "finish", "insist", "outlast", "told_once"]

T = TypeVar("T")


def told_once() -> AbstractContextManager[object]:
    """Within it, an anyio scope does not repeat its cancellation, of which the caller knows already.

    anyio cancels the tasks of a cancelled scope again at every await (G70). A native cancellation still comes through:
    anyio's shields do not stop it.
    """
    anyio = sys.modules.get("anyio")  # where nobody has loaded it, there is no scope
    if anyio is None or anyio.current_effective_deadline() > -math.inf:
        return nullcontext()
    return anyio.CancelScope(shield=True)  # type: ignore[no-any-return]


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
            with nullcontext() if cancelled is None else told_once():
                await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    return cancelled


async def insist(do: Callable[[], Awaitable[T]], on_cancel: Callable[[asyncio.CancelledError], Any]) -> T:
    """Repeat what may be restarted at any time until it is done; cancellations are only passed to ``on_cancel``.

    It runs in the caller's own task: a separate one could be cancelled before its first step.
    """
    told = False
    while True:
        try:
            with told_once() if told else nullcontext():
                return await do()
        except asyncio.CancelledError as error:
            told = True
            on_cancel(error)


async def complete(do: Callable[[], Awaitable[object]]) -> None:
    """Repeat what may be restarted at any time until it is done, and only then raise a cancellation of the caller.

    For what must be closed: when a loop ends, `asyncio.run` cancels all tasks, and one that has not begun never does.
    """
    cancelled: list[asyncio.CancelledError] = []
    await insist(do, cancelled.append)
    if cancelled:
        raise cancelled[0]
