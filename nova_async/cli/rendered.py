"""What agents print, on a terminal: rendered, in colours. A pipe gets the bytes as they are, and none of this."""

from typing import TextIO, final

from nova_async.agents import Layout, PieceKind
from nova_async.agents.layout import ASCII_SIGNS, SIGNS
from nova_async.agents.unknown import renderer_of
from nova_async.cli.columns import cut, width_of
from nova_async.cli.ink import Ink, Span, colours_of, is_terminal, paint, plain
from nova_async.cli.say import write

__all__ = ["Rendered"]

INKS = {
    PieceKind.THINKING: Ink.GREY,
    PieceKind.PROMPT: Ink.GREY,
    PieceKind.TOOL: Ink.BLUE,
    PieceKind.OUTPUT: Ink.GREY,
    PieceKind.FAILED: Ink.RED,
    PieceKind.NOTE: Ink.GREY,
    PieceKind.WARNING: Ink.AMBER,
    PieceKind.END: Ink.GREEN,
    PieceKind.ERROR: Ink.RED,
}


@final
class Rendered:
    """Writes the output of one process for people, as it comes.

    ``agent`` is the name of whose output it is; None leaves it to the first event, which is good enough for showing.
    ``mode`` is the agent's output mode, where it is known.
    """

    def __init__(self, stream: TextIO, agent: str | None = None, mode: str | None = None) -> None:
        self._renderer = renderer_of(agent, mode)
        self._stream = stream
        self._colours = colours_of(stream)
        signs = SIGNS if can_show("".join(SIGNS.values()), stream) else ASCII_SIGNS
        self._layout = Layout(self._painted, signs)

    def write(self, chunk: bytes) -> None:
        """Write what the next bytes show. Raises ``OSError`` when nobody reads any more."""
        write(self._layout.add(self._renderer.feed(chunk)), self._stream)

    def head(self, text: str) -> None:
        """Write a line of our own. Raises ``OSError`` when nobody reads any more."""
        write(paint([Span(f"\n== {text}\n", Ink.BOLD)], self._colours), self._stream)

    def end(self, *, is_over: bool) -> None:
        """Write what was held back, if the process ``is_over``; else more may come, and only the line ends here.

        Raises ``OSError`` when nobody reads any more.
        """
        shown = self._layout.add(self._renderer.close()) if is_over else ""
        write(shown + self._layout.end(), self._stream)

    def _painted(self, kind: PieceKind, line: str) -> str:
        width = None
        if kind is PieceKind.OUTPUT and is_terminal(self._stream):
            from shutil import get_terminal_size  # with all that packs archives

            width = get_terminal_size().columns
        if width is not None and width_of(line.expandtabs()) > width:  # it is shortened anyway, and keeps its bar
            line = plain(cut(line.expandtabs(), width))
        return paint([Span(line, INKS.get(kind, Ink.PLAIN))], self._colours)


def can_show(text: str, stream: TextIO) -> bool:
    """Tell whether a stream's encoding has all these characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
