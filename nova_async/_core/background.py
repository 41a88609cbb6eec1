"""Background asyncio tasks: none is forgotten, and none fails unnoticed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, final

__all__ = ["Background"]


@final
class Background:
    """Keeps the running tasks; ``on_failure`` gets any exception that one of them raises."""

    def __init__(self, on_failure: Callable[[Exception], object]) -> None:
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._running)

    def begin(
        self, work: Coroutine[Any, Any, None], *, if_cut_off: Callable[[], object] = lambda: None
    ) -> "asyncio.Task[None]":
        """Run a coroutine in the background, and return its task.

        ``if_cut_off`` is called if it was cancelled or failed. That has to be done from outside: a task that is
        cancelled before its first step never runs at all, not even its ``finally``.
        """

        def note_end(task: "asyncio.Task[None]") -> None:
            self._running.discard(task)
            if task.cancelled():
                if_cut_off()
            elif isinstance(error := task.exception(), Exception):
                self._on_failure(error)
                if_cut_off()

        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(note_end)
        return task

    async def wait(self) -> None:
        """Wait until the tasks running now have ended."""
        if self._running:
            await asyncio.wait(self._running)
