"""What is drawn while somebody looks around in a run: the table around a task, one task, its log, or the keys."""

from collections.abc import Iterator, Sequence

from nova_async._core.advice import HERE, Place
from nova_async._core.text import one_line
from nova_async.cli.browsing import Browsing, Pane
from nova_async.cli.columns import cut, fold, table_lines
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.log_pane import LogPane
from nova_async.cli.tones import INKS
from nova_async.control.board import Board
from nova_async.views import TaskView

__all__ = ["foot_of", "pane_picture"]

LEAST_OF_THE_LOG = 5  # lines that a task's own pane leaves for the end of its log
KEYS_OF = {
    Pane.TASK: "l log · j k other tasks · enter table",
    Pane.LOG: "j k g scroll · f end · l table",
}
STEERING = " · s stop · r run again"


def pane_picture(
    browsing: Browsing, board: Board, log: LogPane, columns: int, lines: int, place: Place = HERE
) -> list[Line]:  # fmt: skip
    """Return what is looked at in place of the table, in so many lines."""
    task = browsing.task(board)
    if browsing.pane is Pane.HELP or task is None:
        shown, browsing.offset = help_lines(browsing.keys, columns, lines, browsing.offset)
        return shown
    head = head_of(task, board)
    if browsing.pane is Pane.TASK:
        return task_pane(task, board, head, log, columns, lines, place)
    rows, browsing.offset = log.rows(task, columns, lines - 2, browsing.offset)
    told = f"log of attempt {task.attempts[-1].start.id.number}" if task.attempts else "log"
    told += f", {browsing.offset} lines above its end" if browsing.offset else ", its end"
    told += f"; all of it: {place.command(f'nova logs {task.id}')}" if log.is_cut else ""
    return [head, [Span(told, Ink.GREY)], *rows, *[""] * (lines - 2 - len(rows))]


def head_of(task: TaskView, board: Board) -> Line:
    """Say which task is looked at and how it stands."""
    look = board.look(task)
    name = Span(f" {one_line(task.name)}" if task.name else "")
    doing = board.doing(task)
    state = Span(f"  {look.sign} {look.word}", INKS[look.tone])
    return [Span(one_line(task.id), Ink.BOLD), name, state, Span(f"  {one_line(doing)}" if doing else "", Ink.GREY)]


def task_pane(
    task: TaskView, board: Board, head: Line, log: LogPane, columns: int, lines: int, place: Place
) -> list[Line]:  # fmt: skip
    """Return what is known of a task, and below it the end of its log."""
    from nova_async.cli.found_task import FoundTask  # with the journal: not before somebody looks
    from nova_async.cli.show import described

    found, whole = FoundTask(task, None, board.is_over), place.command(f"nova show {task.id}")
    facts = [row for line in list(described(found, None))[1:] for row in fold(line, columns)]
    room = max(lines - 3 - LEAST_OF_THE_LOG, 1)
    if len(facts) > room:
        facts = [*facts[: room - 1], [Span(f"… {len(facts) - room + 1} more lines: {whole}", Ink.GREY)]]
    left = lines - 3 - len(facts)
    rows, _ = log.rows(task, columns, max(left, 0))
    title: Line = [Span("Log", Ink.BOLD)]
    return [head, *facts, "", title, *rows, *[""] * (left - len(rows))][:lines]


def help_lines(
    keys: Sequence[tuple[str, str]], columns: int, lines: int, offset: int
) -> tuple[list[Line], int]:  # fmt: skip
    """Return what the keys do, from so many lines below the first on, and how many there really are above."""
    rows: list[list[Line]] = [[[Span(f"  {key}", Ink.BOLD)], what] for key, what in keys]
    shown: list[Line] = list(table_lines(rows, width=columns, folding=[1]))
    offset = min(offset, max(len(shown) - (lines - 1), 0))
    scrolls = Span(" (j k scroll)" if len(shown) > lines - 1 else "", Ink.GREY)
    left = lines - 1 - len(shown)
    return [[Span("Keys", Ink.BOLD), scrolls], *shown[offset : offset + lines - 1], *[""] * left], offset


def foot_of(browsing: Browsing, board: Board, columns: int) -> Iterator[Line]:
    """Give the last line: a question, what is typed, what the last key has done, or the keys of what is looked at."""
    if browsing.question is not None:
        answers = " y/n"  # must be seen, however long the question is
        yield [*cut([Span(browsing.question.text, Ink.AMBER)], columns - len(answers)), Span(answers, Ink.AMBER)]
    elif browsing.is_typing or browsing.filter:
        end = "▏" if browsing.is_typing else "  (Esc ends the filter)"
        yield cut([Span("/", Ink.BOLD), Span(browsing.filter), Span(end, Ink.GREY)], columns)
    elif browsing.message:
        yield cut([Span(one_line(browsing.message), Ink.BOLD)], columns)
    elif browsing.pane in KEYS_OF:
        keys = KEYS_OF[browsing.pane] + (STEERING if not board.is_over else "")
        yield cut([Span(f"{keys} · ? all keys", Ink.GREY)], columns)
    elif board.is_over and browsing.can_leave:
        yield cut([Span("this run is over; q leaves", Ink.BOLD)], columns)
