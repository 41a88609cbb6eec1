"""Keys that somebody presses, from the bytes that a terminal sends for them. Pure."""

import re
from collections.abc import Iterator
from typing import final

__all__ = ["BACKSPACE", "DOWN", "END", "ENTER", "ESCAPE", "HOME", "PAGE_DOWN", "PAGE_UP", "UP", "Keys"]

UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = "up", "down", "page up", "page down", "home", "end"
ENTER, ESCAPE, BACKSPACE = "enter", "escape", "backspace"

SEQUENCES = {
    "[A": UP, "[B": DOWN, "OA": UP, "OB": DOWN, "[5~": PAGE_UP, "[6~": PAGE_DOWN, "[H": HOME, "[F": END, "OH": HOME,
    "OF": END, "[1~": HOME, "[4~": END, "[7~": HOME, "[8~": END,
}  # fmt: skip
SIGNS = {"\r": ENTER, "\n": ENTER, "\x7f": BACKSPACE, "\b": BACKSPACE}
PIECE = re.compile(r"\x1b(\[[0-9;<=>?]*[ -/]*[@-~]|O[ -~])|\x1b|([^\x1b])", re.DOTALL)


@final
class Keys:
    """Takes bytes as they are read: a terminal sends what one key means at once."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Give the keys: a character as itself, others by their names; those that nobody needs are passed over."""
        data = self._rest + data
        text, self._rest = decoded(data)
        for sequence, sign in PIECE.findall(text):
            if sequence:
                if sequence in SEQUENCES:
                    yield SEQUENCES[sequence]
            elif not sign:
                yield ESCAPE
            elif sign in SIGNS:
                yield SIGNS[sign]
            elif sign.isprintable():
                yield sign


def decoded(data: bytes) -> tuple[str, bytes]:
    """Return the text, and what is the beginning of a character whose rest has not come yet: three bytes at most."""
    for length in range(min(3, len(data)), 0, -1):
        begin = data[-length:]
        needed = 2 if 0xC0 <= begin[0] < 0xE0 else 3 if 0xE0 <= begin[0] < 0xF0 else 4 if begin[0] >= 0xF0 else 1
        if needed > length:
            return data[:-length].decode(errors="replace"), begin
    return data.decode(errors="replace"), b""
