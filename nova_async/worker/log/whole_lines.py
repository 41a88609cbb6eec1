"""Two streams of one child in one log: as they come, and each line in one piece."""

from collections.abc import Callable
from typing import final

__all__ = ["WholeLines"]

MOST_HELD = 256 * 1024  # bytes of standard error per worker; a stack trace has a few thousand


@final
class WholeLines:
    """Puts standard output into a log at once, and standard error between its lines.

    Only standard error is ever held back: while it is in the middle of a line, or standard output is. Beyond
    ``MOST_HELD`` bytes it is put wherever the log stands.
    """

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put
        self._in_a_line = False  # whether the log ends in the middle of a line of standard output
        self._held = bytearray()  # of standard error
        self._whole = 0  # how many of these bytes are whole lines
        self.chunks = 0
        """How many chunks of standard output have come."""

    @property
    def is_waiting(self) -> bool:
        """Whether whole lines of standard error wait for the end of a line of standard output."""
        return self._whole > 0

    def put_output(self, chunk: bytes) -> None:
        """Take the next bytes of standard output."""
        self.chunks += 1
        if self._whole and (end := chunk.find(b"\n") + 1):
            self._put(chunk[:end])
            self.let_lines_in()
            chunk = chunk[end:]
            if not chunk:
                return
        self._put(chunk)
        self._in_a_line = chunk[-1] != 10  # a line end

    def put_errors(self, chunk: bytes) -> None:
        """Take the next bytes of standard error."""
        self._held += chunk
        if end := chunk.rfind(b"\n") + 1:
            self._whole = len(self._held) - len(chunk) + end
        if len(self._held) > MOST_HELD:
            self.let_all_in()
        elif not self._in_a_line:
            self.let_lines_in()

    def let_lines_in(self) -> None:
        """Put the whole lines that are held back into the log now."""
        self._in_a_line = False
        if self._whole:
            self._put(bytes(self._held[: self._whole]))
            del self._held[: self._whole]
            self._whole = 0

    def let_all_in(self) -> None:
        """Put all that is held back into the log now, whole or not."""
        self.let_lines_in()
        if self._held:
            self._put(bytes(self._held))
            self._held = bytearray()
