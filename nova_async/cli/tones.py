"""The inks of a terminal for what is shown of a run."""

from nova_async.cli.ink import Ink, Span
from nova_async.control.looks import Look, Tone

__all__ = ["INKS", "cell_of"]

INKS = {
    Tone.PLAIN: Ink.PLAIN,
    Tone.STRONG: Ink.BOLD,
    Tone.QUIET: Ink.GREY,
    Tone.GOOD: Ink.GREEN,
    Tone.BUSY: Ink.BLUE,
    Tone.CHANGING: Ink.MAGENTA,
    Tone.WARNING: Ink.AMBER,
    Tone.BAD: Ink.RED,
}


def cell_of(look: Look) -> list[Span]:
    """Return a look as it stands in a table."""
    return [Span(f"{look.sign} {look.word}", INKS[look.tone])]
