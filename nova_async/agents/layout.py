"""Set the pieces of an agent's output as lines of text: signs before them, sub-agents indented, blocks apart."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import final

from nova_async.agents.rendering import Piece, PieceKind

__all__ = ["ASCII_SIGNS", "SIGNS", "Layout", "as_text"]

SIGNS: Mapping[PieceKind, str] = MappingProxyType(
    {
        PieceKind.TEXT: "",
        PieceKind.THINKING: "~ ",
        PieceKind.PROMPT: "> ",
        PieceKind.TOOL: "● ",
        PieceKind.OUTPUT: "  │ ",
        PieceKind.FAILED: "  ✘ ",
        PieceKind.NOTE: "· ",
        PieceKind.WARNING: "! ",
        PieceKind.END: "✔ ",
        PieceKind.ERROR: "✘ ",
        PieceKind.OTHER: "",
    }
)
"""What stands before a piece: nothing is told by colour alone."""
ASCII_SIGNS: Mapping[PieceKind, str] = MappingProxyType(
    {**SIGNS, PieceKind.TOOL: "* ", PieceKind.OUTPUT: "  | ", PieceKind.FAILED: "  x ", PieceKind.NOTE: "- ",
     PieceKind.END: "+ ", PieceKind.ERROR: "x "}
)  # fmt: skip
"""The same where the output can show no others."""
INDENT = "    "  # of a sub-agent, below the call that began it
APART = frozenset({PieceKind.TEXT, PieceKind.END, PieceKind.ERROR})  # an empty line goes before them


@final
class Layout:
    """Sets pieces one after another; ``style`` makes of a kind and some text of one line what is written for it."""

    def __init__(
        self,
        style: Callable[[PieceKind, str], str] = lambda kind, text: text,
        signs: Mapping[PieceKind, str] = SIGNS,
    ) -> None:
        self._style = style
        self._signs = signs
        self._is_in_line = False
        self._has_begun = False

    def add(self, pieces: Iterable[Piece]) -> str:
        """Return what is to be written for the next pieces."""
        return "".join(map(self._set, pieces))

    def end(self) -> str:
        """Return what ends the last line, if it has no end yet."""
        ended, self._is_in_line = "\n" if self._is_in_line else "", False
        return ended

    def _set(self, piece: Piece) -> str:
        goes_on = piece.continues and self._is_in_line
        written = "" if goes_on else self.end() + self._gap(piece)
        first, *more = piece.text.split("\n")
        indent, sign = INDENT * piece.depth, self._signs[piece.kind]
        hanging = self._signs[PieceKind.OUTPUT] if piece.kind is PieceKind.FAILED else sign
        hanging = hanging if piece.kind in (PieceKind.OUTPUT, PieceKind.FAILED) else " " * len(sign)
        written += self._line(piece.kind, first if goes_on else indent + sign + first)
        for line in more:
            written += "\n" + self._line(piece.kind, (indent + hanging + line).rstrip())
        self._is_in_line = self._has_begun = True
        return written if piece.is_open else written + self.end()

    def _line(self, kind: PieceKind, line: str) -> str:
        return self._style(kind, line) if line else ""

    def _gap(self, piece: Piece) -> str:
        return "\n" if self._has_begun and piece.kind in APART and piece.depth == 0 else ""


def as_text(pieces: Iterable[Piece], signs: Mapping[PieceKind, str] = SIGNS) -> str:
    """Return pieces as plain text."""
    layout = Layout(signs=signs)
    return layout.add(pieces) + layout.end()
