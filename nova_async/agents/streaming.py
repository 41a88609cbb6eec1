"""A text that comes bit by bit, and is told once more as a whole when it is complete."""

import re
from typing import final

from nova_async._core.text import clean
from nova_async.agents.rendering import MOST_THOUGHT, Piece, PieceKind

__all__ = ["Stream"]

MOST_KEPT = 64 * 1024  # characters of it by which the whole text is known again; no two answers agree in so many
LONGEST_ESCAPE = 256  # characters of a terminal's control sequence that may have been cut in two
MOST_HELD = 4096  # characters of blanks; more are shown as they come
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x00-\x1f\x7f-\x9f]*|[ -/]*)|[\x90\x98\x9b\x9d-\x9f][ -~]*")
_JOINERS = "\u200c\u200d"


@final
class Stream:
    """One text under way.

    Blanks and line ends at its end are held back until more comes: what is shown in the end is the whole text as if it
    had come at once.
    """

    def __init__(self, kind: PieceKind) -> None:
        self.kind = kind
        self.begun = False
        """Whether anything of it was shown."""
        self._kept: list[str] = []
        self._kept_length = 0
        self._length = 0
        self._held = ""
        self._last = ""  # character shown: a joiner means something only beside it
        self._left = MOST_THOUGHT if kind is PieceKind.THINKING else None

    def add(self, text: str) -> str:
        """Take the next bit; return what can be shown of it now."""
        self._length += len(text)
        if self._kept_length < MOST_KEPT:
            self._kept.append(text[: MOST_KEPT - self._kept_length])
            self._kept_length += len(self._kept[-1])
        ready, self._held = _ready(self._held + text)
        shown = clean(self._last + ready)[len(self._last) :]
        if not self.begun:
            shown = shown.lstrip()
        if shown:
            self._last = shown[-1]
        return self._bounded(shown)

    def rest_of(self, whole: str) -> str | None:
        """Return what is missing of the whole text, known by its beginning; None if this is another text."""
        kept = "".join(self._kept)
        return whole[self._length :] if len(whole) >= self._length and whole.startswith(kept) else None

    def piece(self, text: str, *, continues: bool) -> Piece:
        """Make a piece of what is shown now."""
        self.begun = True
        return Piece(self.kind, text, continues=continues, is_open=True)

    def _bounded(self, shown: str) -> str:
        if self._left is None:
            return shown
        if self._left < 0:  # cut already
            return ""
        before, self._left = self._left, self._left - len(shown)
        return shown if self._left >= 0 else f"{shown[:before]}…"


def _ready(text: str) -> tuple[str, str]:
    """Cut off what may mean something else once more has come: blanks, joiners, the beginning of an escape."""
    end = len(text)
    at = max(text.rfind(mark, max(end - LONGEST_ESCAPE, 0)) for mark in "\x1b\x90\x98\x9b\x9d\x9e\x9f")
    if at >= 0 and _UNFINISHED.fullmatch(text, at):
        end = at
    end = len(text[:end].rstrip().rstrip(_JOINERS).rstrip())
    return (text[:end], text[end:]) if len(text) - end <= MOST_HELD else (text, "")
