"""Ctrl-C and its kin: once asks, twice insists, three times leaves."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Interruption", "exit_code_of", "listen"]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_code_of(number: int) -> int:
    """Return what a shell calls the end by that signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + number


class Interruption:
    """How often we were asked to stop, and by which signal first."""

    def __init__(self, once: Callable[[], None], twice: Callable[[], None]) -> None:
        self.signal: int | None = None
        self.leaving: Callable[[], object] = lambda: None
        """Called when the third request ends this process; it must not take long."""
        self._steps = [once, twice]

    def __call__(self, number: int) -> None:
        """Take one more request: the first asks the workers, the second kills them, the third just leaves."""
        self.signal = self.signal or number
        if not self._steps:
            self.leaving()
            os._exit(exit_code_of(number))  # the orphan guard ends whoever is left
        self._steps.pop(0)()


@contextmanager
def listen(interruption: Interruption) -> Iterator[None]:
    """Hand the stopping signals to ``interruption``; one that was inherited ignored (``nohup``) stays ignored."""
    loop = asyncio.get_running_loop()
    heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, interruption, number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
