"""Text from anywhere, made fit to be shown to a person."""

import re

__all__ = ["LOOK_AT", "MAX_LINE_SHOWN", "one_line"]

MAX_LINE_SHOWN = 200  # characters; one line of a wide terminal

LOOK_AT = 4 * MAX_LINE_SHOWN  # characters of a long text that may become that line, escapes and blanks included

# CSI, OSC and the two-character escapes of ECMA-48, with ESC or as single C1 characters.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~]|$)|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]?"
)


def one_line(text: str, limit: int = MAX_LINE_SHOWN) -> str:
    """Return the text as one printable line of at most ``limit`` characters, without terminal escapes."""
    line = text[:LOOK_AT] if limit <= MAX_LINE_SHOWN else text
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in _ESCAPES.sub("", line))
    line = " ".join(line.split())
    if len(line) > limit or (len(text) > len(line) == limit):
        return line[: limit - 1].rstrip() + "…"
    return line
