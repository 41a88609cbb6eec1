"""The terminal while a run is drawn on it: what is typed is not shown and goes nowhere, and it is left as it was."""

import os
import termios
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TextIO, final

from nova_async.cli.ink import is_terminal

__all__ = ["Terminal", "can_draw", "is_attended", "sends_keys"]

SIGNS = "✓✗▸↻⊘━─…·≥→│"  # what a table is made of

LOCAL_MODES, CHARACTERS = 3, 6  # where a terminal's attributes have them
FALLBACK = os.terminal_size((80, 24))  # for a terminal that does not know its own size


def can_draw(stream: TextIO | None) -> bool:
    """Tell whether a table can be drawn on a stream, over itself, for a person who wants to have it so.

    ``FORCE_COLOR`` makes no terminal of a pipe. ``NOVA_PLAIN`` or ``ACCESSIBLE`` ask for lines, as screen readers do.
    """
    environment = os.environ
    if stream is None or not is_terminal(stream) or environment.get("TERM", "dumb") in ("dumb", "unknown"):
        return False
    if environment.get("NOVA_PLAIN") or environment.get("ACCESSIBLE"):
        return False
    try:
        SIGNS.encode(stream.encoding)
    except UnicodeEncodeError:
        return False
    return is_in_foreground(stream.fileno())


def is_attended(*streams: TextIO | None) -> bool:
    """Tell whether a person may read what is written to one of these streams, and answer."""
    return any(stream is not None and is_terminal(stream) for stream in streams)


def is_in_foreground(descriptor: int) -> bool:
    """Tell whether we may use that terminal; a job in the background would draw over what somebody else writes."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # it is not our controlling terminal: nobody else's job is there
        return True


def sends_keys(stream: TextIO | None, output: TextIO) -> bool:
    """Tell whether the keys of the terminal that we draw on can be read from a stream."""
    try:
        if stream is None or not is_terminal(stream):
            return False
        return os.fstat(stream.fileno()).st_rdev == os.fstat(output.fileno()).st_rdev
    except (OSError, ValueError):
        return False


@final
class Terminal:
    """A terminal that is ours from ``take`` to ``give_back``; neither waits for a terminal that takes nothing now.

    As a context manager it is given back on every way out. With ``reads_keys`` each key can be read at once.
    """

    def __init__(self, stream: TextIO, *, reads_keys: bool = False) -> None:
        self._stream = stream
        self._reads_keys = reads_keys
        self._descriptor = -1
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        self._descriptor = os.dup(self._stream.fileno())  # our output may go elsewhere, once nobody reads it any more
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()
        os.close(self._descriptor)

    @property
    def is_ours(self) -> bool:
        """Whether we may draw: not while we are in the background."""
        return is_in_foreground(self._descriptor)

    @property
    def size(self) -> os.terminal_size:
        """How many columns and lines it has now."""
        try:
            size = os.get_terminal_size(self._descriptor)
        except OSError:
            return FALLBACK
        return size if min(size) > 0 else FALLBACK

    def take(self) -> bool:
        """Show nothing of what is typed, and tell whether that is new; Ctrl-C, Ctrl-Z and Ctrl-S do what they do."""
        if self._before is not None or not self.is_ours:  # in the background, asking for it would stop us
            return False
        with suppress(termios.error):  # it is none, or it is gone
            before = termios.tcgetattr(self._descriptor)
            wanted = [*before]
            wanted[LOCAL_MODES] &= ~(termios.ECHO | termios.ECHONL)
            # Ctrl-C and Ctrl-Z would throw away what the terminal has not shown yet: half a picture, over which the
            # next one is drawn as if all of it were there. termios(3), NOFLSH.
            wanted[LOCAL_MODES] |= termios.NOFLSH
            if self._reads_keys:
                wanted[LOCAL_MODES] &= ~termios.ICANON
                wanted[CHARACTERS] = [*before[CHARACTERS]]
                wanted[CHARACTERS][termios.VMIN], wanted[CHARACTERS][termios.VTIME] = 1, 0
            termios.tcsetattr(self._descriptor, termios.TCSANOW, wanted)
            self._before = before
        return self._before is not None

    def give_back(self) -> None:
        """Let the terminal be as it was, and forget what was typed: it was not meant for the shell."""
        before, self._before = self._before, None
        if before is None or not self.is_ours:
            return
        with suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, before)
