"""The end of a task's log as a terminal shows it, and what is written to it meanwhile."""

import os
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, final

from nova_async._core.text import clean
from nova_async.agents import Layout, PieceKind
from nova_async.agents.unknown import renderer_of
from nova_async.cli.columns import fold
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.rendered import INKS
from nova_async.journal.log_files import log_of, open_log, places_of
from nova_async.records import LogRef
from nova_async.views import TaskView

__all__ = ["LogPane"]

LOOK_AT = 256 * 1024  # bytes at the end of a log that are shown; above them are `nova logs` and a pager
MOST_LINES = 5_000  # that are kept: as many as these bytes have, most often
LONGEST_LINE = 2_000  # characters of one; a tool's output may be a line of megabytes
# Where the style of a piece begins in a line: a control character, of which cleaned text has none.
KINDS = {chr(0x0E + place): kind for place, kind in enumerate(PieceKind)}
MARKS = {kind: mark for mark, kind in KINDS.items()}
MARKED = re.compile(f"([{''.join(KINDS)}])")


@final
class LogPane:
    """Shows the log of one task at a time; for the thread that draws, because it reads from the disk.

    ``folder`` is that of the state file, in which paths of logs begin, and ``log_dir`` that of the logs.
    """

    def __init__(self, folder: Path, log_dir: Path) -> None:
        self._folder = folder
        self._log_dir = log_dir
        self._shown: tuple[str, int] | None = None
        self._file: BinaryIO | None = None
        self._agent = ""
        self._lines = deque[Line](maxlen=MOST_LINES)
        self._open_line = ""
        self._renderer = renderer_of()
        self._layout = Layout()
        self._is_whole = self._is_closed = False
        self.is_cut = False
        """Whether the log has more lines than those."""

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()
        self._file = self._shown = None

    def rows(self, task: TaskView, columns: int, lines: int, offset: int = 0) -> tuple[Sequence[Line], int]:
        """Return so many lines of the log of a task's latest attempt, and how many lines below them are its last.

        ``offset`` is how many that should be; where it is beyond the first line, it is less.
        """
        if (why := self._look(task)) is not None:
            return [[Span(why, Ink.GREY)]], 0
        wanted, rows = lines + offset, deque[Line]()
        last = [line_of(self._open_line)] if self._open_line else []
        for line in [*last, *reversed(self._lines)]:
            rows.extendleft(reversed(fold(line, columns)))
            if len(rows) >= wanted:
                break
        offset = min(offset, max(len(rows) - lines, 0))
        end = len(rows) - offset
        return list(rows)[max(end - lines, 0) : end], offset

    def _look(self, task: TaskView) -> str | None:
        """Read what is new of the task's log; say why there is nothing to show."""
        if not task.attempts:
            return f"{task.id} has not run yet" + (f": {task.reason}" if task.reason else "")
        attempt = task.attempts[-1]
        number = attempt.start.id.number
        if (task.id, number) != self._shown:
            self.close()
            ref = log_of(task, number)
            if ref is None:
                return f"attempt {number} of {task.id} has no log" + ("" if attempt.end else " yet")
            if not self._open(ref, task.id):
                return f"the log of attempt {number} of {task.id} is gone: {ref.path}"
            self._shown, self._agent = (task.id, number), attempt.start.agent
            self._begin()
        self._read()
        if attempt.end is not None and not self._is_closed:
            self._is_closed = True
            self._show(self._layout.add(self._renderer.close()) + self._layout.end())
        return None if self._lines or self._open_line else f"attempt {number} of {task.id} has printed nothing" + (
            "" if attempt.end else " yet")  # fmt: skip

    def _open(self, ref: LogRef, task_id: str) -> bool:
        self._file = open_log(ref, places_of(ref, task_id, self._folder, self._log_dir), self._log_dir)
        return self._file is not None

    def _begin(self) -> None:
        """Show the log from its end on."""
        assert self._file is not None
        self._lines.clear()
        self._open_line = ""
        self._renderer = renderer_of(self._agent)
        self._layout = Layout(lambda kind, text: MARKS[kind] + clean(text))
        size = self._file.seek(0, os.SEEK_END)
        self.is_cut = size > LOOK_AT
        self._file.seek(max(size - LOOK_AT, 0))
        self._is_whole, self._is_closed = not self.is_cut, False

    def _read(self) -> None:
        assert self._file is not None
        with suppress(OSError):  # a disk that cannot be read now: what is known stays
            position = self._file.tell()
            if self._file.seek(0, os.SEEK_END) - position > LOOK_AT:  # a flood: only its end can be seen anyway
                self._begin()
                position = self._file.tell()
            self._file.seek(position)
            while data := self._file.read(LOOK_AT):
                self._take(data)

    def _take(self, data: bytes) -> None:
        if not self._is_whole:  # the first line may be cut
            _, newline, data = data.partition(b"\n")
            self._is_whole = bool(newline)
        self._show(self._layout.add(self._renderer.feed(data)))

    def _show(self, text: str) -> None:
        *lines, rest = (self._open_line + text).split("\n")
        self._lines.extend(map(line_of, lines))
        self._open_line = rest[-LONGEST_LINE:]


def line_of(text: str) -> Line:
    """Return a line in the inks of its pieces."""
    first, *pieces = MARKED.split(text[:LONGEST_LINE])
    spans = [Span(first)] if first else []
    marks, texts = pieces[::2], pieces[1::2]
    spans += [Span(piece, INKS.get(KINDS[mark], Ink.PLAIN)) for mark, piece in zip(marks, texts, strict=True)]
    return spans
