"""Colours that can be read on light and dark backgrounds alike, and text that is written in them.

A theme's own colours cannot be trusted: the yellow of most is unreadable on white, and their blue on black. These have
a contrast of at least 4.5:1 with both. No colour says anything that a word or a sign does not say as well.
"""

import os
from collections.abc import Sequence
from enum import Enum, IntEnum
from typing import IO, NamedTuple

from nova_async._core.text import clean

__all__ = ["Colours", "Ink", "Line", "Span", "colours_of", "is_terminal", "paint", "plain"]


class Look(NamedTuple):
    """How an ink looks."""

    rgb: tuple[int, int, int] | None = None
    """Red, green and blue, 0 to 255 each; None is the terminal's own colour of text."""
    number: int | None = None
    """The one of 256 colours that comes next to it, where there is one of enough contrast."""
    is_bold: bool = False


class Ink(Enum):
    """What a piece of text may be written in."""

    PLAIN = Look()
    BOLD = Look(is_bold=True)
    GREY = Look((0x75, 0x75, 0x75), 243)
    RED = Look((0xDE, 0x2F, 0x20), 131, is_bold=True)
    GREEN = Look((0x13, 0x87, 0x27), 29)
    BLUE = Look((0x3D, 0x66, 0xFF), 63)
    MAGENTA = Look((0xBD, 0x3C, 0xBD), 163)
    AMBER = Look((0xA2, 0x69, 0x00), is_bold=True)


class Span(NamedTuple):
    """A piece of a line in one ink."""

    text: str
    ink: Ink = Ink.PLAIN


Line = str | Sequence[str | Span]
"""A line of text: plain, or in pieces."""


class Colours(IntEnum):
    """How many colours an output has."""

    NONE = 0
    FEW = 1
    """Bold only."""
    MANY = 2
    """256."""
    ALL = 3


def is_terminal(stream: IO[str] | None) -> bool:
    """Tell whether a person looks at a stream; nobody does at one that was closed by our parent."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed since
        return False


def colours_of(stream: IO[str] | None) -> Colours:
    """Return how many colours to write to a stream: ``NO_COLOR`` and ``FORCE_COLOR`` decide about this alone."""
    environment = os.environ
    if environment.get("NO_COLOR"):
        return Colours.NONE
    forced = environment.get("FORCE_COLOR", "") not in ("", "0", "false")
    terminal = environment.get("TERM", "")
    if not forced and (environment.get("FORCE_COLOR") or terminal == "dumb" or not is_terminal(stream)):
        return Colours.NONE
    if environment.get("COLORTERM") in ("truecolor", "24bit") or "direct" in terminal:
        return Colours.ALL
    return Colours.MANY if forced or "256" in terminal else Colours.FEW


def plain(line: Line) -> str:
    """Return a line without its colours; as it is, and not yet fit for a terminal."""
    return line if isinstance(line, str) else "".join(span if isinstance(span, str) else span.text for span in line)


def paint(line: Line, colours: Colours) -> str:
    """Return a line as a terminal may have it: printable characters, and our own colours.

    Everything that ``nova`` shows a person passes here, whatever plan, path, agent or program it comes from.
    """
    if isinstance(line, str) or colours is Colours.NONE:
        return clean(plain(line))
    return "".join(
        clean(span) if isinstance(span, str) else _painted(clean(span.text), span.ink, colours) for span in line
    )


def _painted(text: str, ink: Ink, colours: Colours) -> str:
    rgb, number, is_bold = ink.value
    codes = ["1"] if is_bold else []
    if colours is Colours.ALL and rgb is not None:
        codes.append("38;2;{};{};{}".format(*rgb))
    elif colours is Colours.MANY and number is not None:
        codes.append(f"38;5;{number}")
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and text else text
