"""Asyncio tasks beside the main one: none is forgotten, and none ends badly without anybody hearing of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, final

__all__ = ["Background"]


@final
class Background:
    """Keeps the tasks that run; ``on_failure`` is told what any of them could not cope with."""

    def __init__(self, on_failure: Callable[[Exception], object]) -> None:
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._running)

    def begin(self, work: Coroutine[Any, Any, None], *, if_cut_off: Callable[[], object] = lambda: None) -> None:
        """Run something beside everything else.

        ``if_cut_off`` is called where a cancellation or a failure was its end. It needs to be told from outside: what
        is cancelled before its first step takes no step at all, not even into its ``finally``.
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

    async def wait(self) -> None:
        """Wait until those that run now have ended."""
        if self._running:
            await asyncio.wait(self._running)
