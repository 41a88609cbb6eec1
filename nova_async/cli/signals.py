"""Ctrl-C and its kin: once asks, twice insists, three times leaves. Ctrl-Z: everything stands still until `fg`."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from nova_async.cli.process_wide import deaf

__all__ = ["Interruption", "Suspension", "exit_code_of", "listen", "quit_after"]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 2.0  # seconds for others to stand still, before we do


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
            os._exit(exit_code_of(number))  # the orphan guard ends what is left
        self._steps.pop(0)()


class Suspension:
    """Ctrl-Z stops more than this process, and `fg` lets it all go on.

    ``leave`` is awaited before this process stops; ``come_back`` is called whenever it goes on, also where somebody
    else's SIGSTOP had stopped it, and must do no harm if nothing had.
    """

    def __init__(self, leave: Callable[[], Awaitable[object]], come_back: Callable[[], object]) -> None:
        self._leave = leave
        self._come_back = come_back
        self._leaving: asyncio.Task[None] | None = None

    @property
    def handlers(self) -> dict[int, Callable[[int], object]]:
        """The signals that it takes."""
        return {signal.SIGTSTP: self, signal.SIGCONT: self}

    def __call__(self, number: int) -> None:
        """Take SIGTSTP or SIGCONT."""
        if number == signal.SIGCONT:
            self._come_back()
        elif self._leaving is None or self._leaving.done():
            self._leaving = asyncio.get_running_loop().create_task(self._stop())

    async def _stop(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._leave()
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        signal.raise_signal(signal.SIGTSTP)  # here we stand, until somebody sends SIGCONT; at once where nobody could
        loop.add_signal_handler(signal.SIGTSTP, self, signal.SIGTSTP)
        self._come_back()


def quit_after(leave: Callable[[], object]) -> Callable[[int], None]:
    """Return what takes SIGQUIT: it leaves the terminal as it was, and then ends this process as usual."""

    def take(number: int) -> None:
        leave()
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.raise_signal(number)

    return take


@contextmanager
def listen(interruption: Interruption, others: Mapping[int, Callable[[int], object]] | None = None) -> Iterator[None]:
    """Hand the stopping signals to ``interruption``, and others to those who take them.

    One that was inherited ignored (``nohup``) stays ignored.
    """
    loop = asyncio.get_running_loop()
    handlers: dict[int, Callable[[int], object]] = dict.fromkeys(STOPPING, interruption)
    handlers.update(others or {})
    ignored = signal.SIG_IGN, deaf
    heard = {number: take for number, take in handlers.items() if signal.getsignal(number) not in ignored}
    for number, take in heard.items():
        loop.add_signal_handler(number, take, number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
