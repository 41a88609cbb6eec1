"""A run on a terminal: a table that is drawn over itself, with what must not be missed above it."""

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from threading import Lock, Thread
from types import TracebackType
from typing import Self, final

from nova_async._core.text import one_line
from nova_async.cli.canvas import HIDE_CURSOR, SHOW_CURSOR, Canvas
from nova_async.cli.columns import cut, width_of
from nova_async.cli.ink import Ink, Line, Span, colours_of
from nova_async.cli.run_lines import text_line
from nova_async.cli.say import write
from nova_async.cli.task_rows import Choice, choose, describe_left_out, groups_of, task_table
from nova_async.cli.terminal import Terminal
from nova_async.cli.time_left import time_left
from nova_async.control.figures import cost_of_all, describe_cost, describe_duration, short_count, stopwatch
from nova_async.journal.rollup import sum_up
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind, TaskState

__all__ = ["RunTable"]

CLOCK = 1.0  # seconds
SHORTEST = 3  # rows of tasks, on however low a terminal
HEAD = 3  # lines above the tasks: two of progress, and the titles
LONGEST_TABLE = 60  # rows that stay at the end; of a larger plan, finished groups are folded
WIDEST = 140  # columns; beyond that, the eye no longer finds the numbers of a row
SHORT = 0.2  # seconds; who leaves at once does not wait for a terminal that takes nothing

PERMANENT = {
    EventKind.TASK_FAILED: Ink.RED,
    EventKind.TASK_RETRYING: Ink.MAGENTA,
    EventKind.LIMIT_NEAR: Ink.AMBER,
    EventKind.LIMIT_REACHED: Ink.AMBER,
    EventKind.LIMIT_RESET: Ink.BOLD,
    EventKind.MILESTONE: Ink.BOLD,
    EventKind.WARNING: Ink.AMBER,
    EventKind.TASK_STOPPED: Ink.MAGENTA,
    EventKind.TASK_REOPENED: Ink.MAGENTA,
    EventKind.APPROVAL_NEEDED: Ink.AMBER,
    EventKind.APPROVED: Ink.BOLD,
    EventKind.PAUSED: Ink.BOLD,
    EventKind.RESUMED: Ink.BOLD,
    EventKind.WORKERS_CHANGED: Ink.BOLD,
    EventKind.BUDGET_CHANGED: Ink.BOLD,
    EventKind.STOPPING: Ink.BOLD,
}
BAR = {TaskState.COMPLETED: Ink.GREEN, TaskState.FAILED: Ink.RED, TaskState.IN_PROGRESS: Ink.BLUE}


@final
class RunTable:
    """Shows all tasks that fit, those that run first; a context manager that leaves the terminal as it was.

    ``can_insist`` tells whether a second Ctrl-C would kill what is being stopped.
    """

    wants_views = True

    def __init__(
        self,
        project: str,
        total: int,
        max_workers: int,
        *,
        remaining_path: Callable[[str], int] | None = None,
        can_insist: Callable[[], bool] = lambda: False,
        budget_usd: float | None = None,
        budget_tokens: int | None = None,
    ) -> None:
        self._of_usd = "" if budget_usd is None else f" of {describe_cost(budget_usd)}"
        self._of_tokens = "" if budget_tokens is None else f" of {short_count(budget_tokens)} tokens"
        self._project = one_line(project) or "nova run"
        self._total = total
        self._max_workers = max_workers
        self._remaining_path = remaining_path
        self._can_insist = can_insist
        self._views: Mapping[str, TaskView] = {}
        self._said: deque[Event] = deque()
        self._started = time.monotonic()
        self._terminal = Terminal(sys.stdout)
        self._canvas = Canvas(lambda text: write(text, sys.stdout), colours_of(sys.stdout))
        self._drawing = Lock()
        self._on_exit = ExitStack()

    def __enter__(self) -> Self:
        self._on_exit.enter_context(self._terminal)
        with suppress(OSError):
            write(HIDE_CURSOR, sys.stdout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._on_exit, suppress(OSError):
            if kind is None and self._views:
                self._draw(self.last_picture(self._terminal.size.columns))
            write(SHOW_CURSOR, sys.stdout)

    def rest(self) -> float:
        """Return when the times in it are to go on, even if nothing happens."""
        return CLOCK

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of how all tasks stand."""
        self._views = views

    def say(self, event: Event) -> None:
        """Take note of what happened; failures, retries and milestones get a line that stays."""
        if event.kind in PERMANENT:
            self._said.append(event)

    def draw(self) -> None:
        """Write the lines that stay, and draw the table anew; nothing while others have the terminal."""
        if self._terminal.is_ours:
            if self._terminal.take():  # `fg` after `bg`, of which no signal tells
                write(HIDE_CURSOR, sys.stdout)
            self._draw(self.picture(*self._terminal.size))

    def suspend(self) -> None:
        """Leave the terminal to others: the picture stays, and the cursor is below it."""
        ours = self._drawing.acquire(timeout=SHORT)  # the drawing may wait for a terminal that takes nothing
        try:
            self._canvas.leave()
            self._write_if_possible(SHOW_CURSOR)
            self._terminal.give_back()
        finally:
            if ours:
                self._drawing.release()

    def resume(self) -> None:
        """Have the terminal again; the next picture comes below whatever others wrote."""
        if self._terminal.take():
            self._write_if_possible(HIDE_CURSOR)

    def leave_at_once(self) -> None:
        """Leave the terminal as it was, without waiting for anything."""
        self._terminal.give_back()
        self._write_if_possible(SHOW_CURSOR + "\n")

    def _write_if_possible(self, text: str) -> None:
        """Write to a terminal that may take nothing now, and is then not waited for."""

        def attempt() -> None:
            with suppress(OSError):
                write(text, sys.stdout)

        writing = Thread(target=attempt, daemon=True)
        writing.start()
        writing.join(SHORT)

    def _draw(self, picture: Sequence[Line]) -> None:
        with self._drawing:
            insist, said = self._can_insist(), list[Line]()
            while self._said:
                event = self._said.popleft()
                said.append([Span(text_line(event, can_insist=insist), PERMANENT[event.kind])])
            self._canvas.draw(picture, self._terminal.size.columns, said)

    def picture(self, columns: int, lines: int) -> list[Line]:
        """Return the progress and as much of the table as fits, as they are now."""
        views = self._views
        rows = max(lines - HEAD - 1, SHORTEST)  # one line less than there are, or the terminal scrolls
        choice = choose(groups_of(views.values()), rows)
        table = task_table(choice, datetime.now(UTC), width=min(columns, WIDEST))
        picture = [*self._progress(views, columns), *table, *_foot(choice)]
        return [cut(line, columns) for line in picture]

    def last_picture(self, columns: int) -> list[Line]:
        """Return the table that stays when the run is over: a line for each task, or for each group that is done."""
        groups = groups_of(self._views.values())
        choice = choose(groups, None, folds=False)
        if len(choice.tasks) + len(choice.headings) > LONGEST_TABLE:
            failed = sum(view.state is TaskState.FAILED for view in self._views.values())
            choice = choose(groups, max(LONGEST_TABLE, failed + len(groups)))
        picture = [*task_table(choice, datetime.now(UTC), width=columns, is_over=True), *_foot(choice, is_over=True)]
        return [cut(line, columns) for line in picture]

    def _progress(self, views: Mapping[str, TaskView], width: int) -> list[Line]:
        states = Counter(view.state for view in views.values())
        done, failed, blocked = (states[state] for state in (TaskState.COMPLETED, TaskState.FAILED, TaskState.BLOCKED))
        name = Span(one_line(self._project, max(width // 3, 10)), Ink.BOLD)
        head: list[Span] = [name, Span("  "), *_bar(states, self._total, max(min(width // 3, 60), 8))]
        head.append(Span(f"  {done}/{self._total}"))
        head += [Span(f"  {failed} failed", Ink.RED)] if failed else []
        head += [Span(f"  {blocked} blocked")] if blocked else []
        parts = [f"{stopwatch(time.monotonic() - self._started)} elapsed"]
        left = time_left(views.values(), self._max_workers, self._remaining_path)
        parts += [f"~{describe_duration(left) if left >= 10 else f'{left:.0f} s'} left"] if left is not None else []
        parts.append(f"{states[TaskState.IN_PROGRESS]}/{self._max_workers} busy")
        sums = sum_up(views.values())
        if sums.usage.total:
            given = sums.usage.output_tokens
            parts.append(f"{short_count(sums.usage.total - given)} in, {short_count(given)} out{self._of_tokens}")
        if sums.cost_usd or sums.estimated_usd:
            parts.append(cost_of_all(sums) + self._of_usd)
        if width_of(" · ".join(parts)) > width:  # what it costs stands last, and must not be what is cut
            parts[0] = parts[0].removesuffix(" elapsed")
        return [head, [Span(" · ".join(parts), Ink.GREY)]]


def _bar(states: Counter[TaskState], total: int, width: int) -> list[Span]:
    """Draw how far the run is: what is completed, what failed, what runs, what is to come."""
    bar, drawn, so_far = list[Span](), 0, 0
    for state, ink in BAR.items():
        so_far += states[state]
        until = width * so_far // max(total, 1)
        bar.append(Span("━" * (until - drawn), ink))
        drawn = until
    return [*bar, Span("─" * (width - drawn), Ink.GREY)]


def _foot(choice: Choice, *, is_over: bool = False) -> list[Line]:
    """Count what is not shown."""
    counts = describe_left_out(choice.left_out(), is_over=is_over)
    more = ", ".join(f"{count} more {word}" for word, count in counts.items())
    return [[Span(f"… {more}", Ink.GREY)]] if more else []
