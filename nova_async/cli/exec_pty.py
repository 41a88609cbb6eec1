"""``nova exec --pty``: the command has a terminal, and ours is its keyboard meanwhile."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from nova_async.cli import pty_relay

__all__ = ["in_a_terminal", "our_keyboard"]


def in_a_terminal(program: str, words: Sequence[str]) -> list[str]:
    """Return the command that runs another one, found to be ``program``, in a terminal of its own."""
    return [sys.executable, "-I", "-S", pty_relay.__file__, program, *words]


@contextmanager
def our_keyboard(resized: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Give each key to the command, Ctrl-C and Ctrl-Z too, and tell of a new size; give what undoes it at once.

    Where our input is no terminal, or is somebody else's at the moment (a job in the background), nothing is changed.
    """
    descriptor = sys.stdin.fileno() if sys.stdin is not None else -1
    if not is_ours(descriptor):
        yield lambda: None
        return
    before = termios.tcgetattr(descriptor)

    def restore() -> None:
        with suppress(termios.error):  # it is gone
            termios.tcsetattr(descriptor, termios.TCSANOW, before)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, resized)
    tty.setraw(descriptor, termios.TCSANOW)
    try:
        yield restore
    finally:
        restore()
        loop.remove_signal_handler(signal.SIGWINCH)


def is_ours(descriptor: int) -> bool:
    """Tell whether it is a terminal in whose foreground we are."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
