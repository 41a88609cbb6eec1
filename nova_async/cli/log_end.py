"""The end of a failed task's log, in a few lines that a person can read."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nova_async._core.text import one_line
from nova_async.agents import AGENTS, Layout, Piece, PieceKind
from nova_async.agents.registry import PLAIN
from nova_async.views import TaskView
from nova_async.words import Outcome

__all__ = ["end_of_log", "last_lines", "lines_at_end", "log_that_tells"]

LINES = 10
LOOK_AT = 256 * 1024  # bytes at the end of a log that are read for them; one event of an agent may be a megabyte
LONGEST_LINE = 300  # characters of each
MOST_INDENT = 20  # characters of blanks before it
# What is said elsewhere, or tells nothing about a failure.
PASSED_OVER = frozenset({PieceKind.NOTE, PieceKind.PROMPT, PieceKind.THINKING, PieceKind.END, PieceKind.ERROR})


def end_of_log(task: TaskView, count: int = LINES) -> list[str]:
    """Return the last lines of the log that says why a task failed: what its agent said, tools gave, or stderr told."""
    log = log_that_tells(task)
    if log is None:
        return []
    is_of_agent = task.attempts and str(log) == task.log_path
    return last_lines(log, count, agent=task.attempts[-1].start.agent if is_of_agent else None)


def log_that_tells(task: TaskView) -> Path | None:
    """Return the log that says why a task failed; None where there is none."""
    if task.log_path is None:
        return None
    log = Path(task.log_path)
    of_check = log.with_name(f"{task.id}~verify.log")  # there the agent itself has succeeded
    return of_check if task.outcome is Outcome.VERIFY and of_check.is_file() else log


def last_lines(path: Path, count: int = LINES, *, agent: str | None = None) -> list[str]:
    """Return the last lines of a log, without reading more than its end; none if it cannot be read.

    The events of an ``agent`` are shown as text.
    """
    try:
        with path.open("rb") as log:
            return lines_at_end(log, count, agent=agent)
    except (OSError, ValueError):
        return []


def lines_at_end(log: BinaryIO, count: int, *, agent: str | None = None, most: int = LOOK_AT) -> list[str]:
    """Return the last lines of a log that is open, of which at most so many bytes are read. Raises ``OSError``."""
    size = log.seek(0, 2)
    log.seek(max(size - most, 0))
    end = log.read(most)
    if size > most and b"\n" in end:
        end = end[end.index(b"\n") + 1 :]  # the first line may be cut
    known = AGENTS.get(agent) if agent else None
    pieces = (known or PLAIN).render(end)
    told = [line for line in lines_of(pieces) if line.strip()][-count:]
    return [line[: len(line) - len(line.lstrip())][:MOST_INDENT] + one_line(line, LONGEST_LINE) for line in told]


def lines_of(pieces: Iterator[Piece]) -> list[str]:
    """Return pieces as lines, without those that are passed over."""
    layout = Layout()
    shown = layout.add(piece for piece in pieces if piece.kind not in PASSED_OVER)
    return shown.split("\n")
