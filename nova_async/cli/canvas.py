"""A few lines at the bottom of a terminal that are drawn over themselves, with lines above them that stay."""

from collections.abc import Callable, Sequence
from typing import final

from nova_async.cli.columns import width_of
from nova_async.cli.ink import Colours, Line, paint

__all__ = ["HIDE_CURSOR", "SHOW_CURSOR", "Canvas"]

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"  # a sign that is wider than we think is cut off, and moves nothing
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
# Not ERASE_BELOW alone: where that is the whole screen, tmux takes it for `clear` and keeps a copy in its history.
ERASE_THE_LAST = f"{ERASE_LINE}\r\n{ERASE_BELOW}\x1b[1A"


@final
class Canvas:
    """Knows how many rows the last picture takes, also after the terminal has become narrower.

    ``write`` gets a whole picture at once. The cursor stands below the picture, at the beginning of a line.
    """

    def __init__(self, write: Callable[[str], object], colours: Colours) -> None:
        self._write = write
        self._colours = colours
        self._drawn: list[int] = []  # how wide the lines of the last picture are

    def draw(self, picture: Sequence[Line], columns: int, above: Sequence[Line] = ()) -> None:
        """Write the lines that stay, and below them the picture: no line wider than the terminal.

        It may have one line less than the terminal, or that scrolls.
        """
        text = self._to_the_top(columns)
        text += ERASE_THE_LAST * bool(above) + "".join(f"{paint(line, self._colours)}\r\n" for line in above)
        # Erased before it is written: after a line that reaches the edge, its last sign would go.
        text += NO_WRAP + "".join(f"{ERASE_LINE}{paint(line, self._colours)}\r\n" for line in picture)
        self._write(text + ERASE_BELOW + WRAP)
        self._drawn = [width_of(line) for line in picture]

    def leave(self) -> None:
        """Let the last picture stay; the next one comes below."""
        self._drawn = []

    def _to_the_top(self, columns: int) -> str:
        """Return what moves to the picture's first line: a terminal that became narrower has folded its lines."""
        rows = sum(max(-(-width // max(columns, 1)), 1) for width in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"
