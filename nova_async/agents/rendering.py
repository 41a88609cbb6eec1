"""What agents print, for people to read: bytes in, pieces of clean text out, as they come.

Which pieces come does not depend on how the bytes were cut. Memory is bounded by one line, and time is linear.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, final

from nova_async._core.text import MAX_LINE_SHOWN, clean
from nova_async.agents.reader import LineSplitter

__all__ = ["Piece", "PieceKind", "PlainRenderer", "Renderer", "left_out", "lines_of", "shortened"]

# Of what a tool gave. It may be megabytes: the beginning says what it is, the end is where errors stand, and the whole
# of it is in the log.
FIRST_LINES, LAST_LINES = 4, 7
MOST_THOUGHT = 400  # characters of one thought; its beginning says what it is about


class PieceKind(StrEnum):
    """What a piece of an agent's output is."""

    TEXT = "text"
    """What the agent says."""
    THINKING = "thinking"
    """The beginning of what it thinks."""
    PROMPT = "prompt"
    """What it, or its sub-agent, was told to do."""
    TOOL = "tool"
    """A call of a tool, such as ``Bash: pytest -q``."""
    OUTPUT = "output"
    """What a tool gave, shortened."""
    FAILED = "failed"
    """What a tool gave that failed or was denied, shortened."""
    NOTE = "note"
    """What goes on: the session, a background task."""
    WARNING = "warning"
    """Trouble that need not end the run: a retry, a limit that comes near."""
    END = "end"
    """The agent's verdict: it succeeded; with what it used and cost."""
    ERROR = "error"
    """The agent's verdict: it failed, and why."""
    OTHER = "other"
    """A line that is no event, as it is: standard error, or the whole output of a plain command."""


@final
@dataclass(frozen=True, slots=True)
class Piece:
    r"""A piece of an agent's output."""

    kind: PieceKind
    text: str
    r"""Clean: no control characters but ``"\n"`` and tabs. Without a line end at its end."""
    depth: int = 0
    """0 for the agent itself, 1 for its sub-agents, 2 for theirs."""
    continues: bool = False
    """Whether it goes on in the line in which the piece before it ended."""
    is_open: bool = False
    """Whether more may come in this line, in a piece that continues it."""


class Renderer(Protocol):
    """Renders the output of one process; see ``Agent.renderer`` for how to get one."""

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the output, cut anywhere, and return what they show; it never raises."""
        ...

    def close(self) -> list[Piece]:
        """Say that nothing more will come, and return what was held back; harmless to repeat."""
        ...


@final
class PlainRenderer:
    """Shows each line as it is, but for what could act on a terminal."""

    def __init__(self) -> None:
        self._lines = LineSplitter()

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the output, cut anywhere, and return what they show; it never raises."""
        return lines_of(self._lines.feed(chunk))

    def close(self) -> list[Piece]:
        """Say that nothing more will come, and return what was held back; harmless to repeat."""
        rest = self._lines.close()
        return [*lines_of([] if rest is None else [rest]), *left_out(self._lines)]


def lines_of(lines: Iterable[bytes]) -> list[Piece]:
    """Return lines that are no events."""
    return [Piece(PieceKind.OTHER, clean(line.removesuffix(b"\r").decode("utf-8", "backslashreplace")).rstrip("\n"))
            for line in lines]  # fmt: skip


def left_out(lines: LineSplitter) -> list[Piece]:
    """Say at the end how many lines were too long to be looked at, and start counting again."""
    count, lines.oversize_lines = lines.oversize_lines, 0
    told = "1 line is" if count == 1 else f"{count} lines are"
    return [Piece(PieceKind.WARNING, f"{told} too large to show")] if count else []


def shortened(text: str) -> str:
    """Return the first and the last lines of what a tool gave, each of a bounded length."""
    text = text.strip("\r\n")
    more = text.count("\n") + 1 - FIRST_LINES - LAST_LINES
    if more <= 1:  # a line that says "1 more line" is no shorter
        return "\n".join(map(cut_line, text.split("\n")))
    first, last = text.split("\n", FIRST_LINES)[:-1], text.rsplit("\n", LAST_LINES)[1:]
    return "\n".join([*map(cut_line, first), f"… {more:,} more lines …", *map(cut_line, last)])


def cut_line(text: str) -> str:
    """Return one line of what a tool gave; of a line that was written over and over, as progress bars are, the last."""
    whole = text.removesuffix("\r").rpartition("\r")[2]
    line = clean(whole[: 4 * MAX_LINE_SHOWN]).replace("\n", " ").rstrip()
    is_cut = len(line) > MAX_LINE_SHOWN or len(whole) > 4 * MAX_LINE_SHOWN
    return line[: MAX_LINE_SHOWN - 1].rstrip() + "…" if is_cut else line
