"""A run on a terminal: a table that is drawn over itself, with what must not be missed above it."""

import asyncio
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Self, final

from nova_async._core.advice import HERE, Place
from nova_async._core.text import one_line
from nova_async.cli.advised import advise_tasks
from nova_async.cli.browsing import Browsing, Pane
from nova_async.cli.canvas import HIDE_CURSOR, SHOW_CURSOR, Canvas
from nova_async.cli.columns import cut, width_of
from nova_async.cli.ink import Ink, Line, Span, colours_of
from nova_async.cli.key_reader import KeyReader
from nova_async.cli.log_pane import LogPane
from nova_async.cli.panes import foot_of, pane_picture
from nova_async.cli.run_lines import text_line
from nova_async.cli.say import write
from nova_async.cli.task_rows import Choice, choose, choose_around, describe_left_out, groups_of, task_table
from nova_async.cli.terminal import Terminal, sends_keys
from nova_async.cli.time_left import time_left
from nova_async.control.board import Board
from nova_async.control.figures import UNKNOWN, describe_duration, stopwatch
from nova_async.journal.last_output import with_last_output
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import Condition, EventKind, TaskState

__all__ = ["RunTable"]

CLOCK = 1.0  # seconds
LOOK_AGAIN = 0.25  # seconds between two looks at a log that is shown; nothing portable would tell that it has grown
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
ENDS = {Condition.COMPLETED: Ink.GREEN, Condition.STOPPED: Ink.BOLD}
BAR = {TaskState.COMPLETED: Ink.GREEN, TaskState.FAILED: Ink.RED, TaskState.IN_PROGRESS: Ink.BLUE}


@final
class RunTable:
    """Shows all tasks that fit, those that run first; a context manager that leaves the terminal as it was.

    ``look`` makes a board of the tasks, ``since`` is when the run began, and ``can_insist`` tells whether a second
    Ctrl-C would kill what is being stopped. With ``browsing`` the keys of the terminal are read. ``place`` is where the
    run is, for the commands that are advised.
    """

    wants_views = True

    def __init__(
        self,
        look: Callable[[Mapping[str, TaskView]], Board | None],
        *,
        since: datetime | None = None,
        remaining_path: Callable[[str], int] | None = None,
        can_insist: Callable[[], bool] = lambda: False,
        browsing: Browsing | None = None,
        log: LogPane | None = None,
        place: Place = HERE,
    ) -> None:
        self._look = look
        self._place = place
        self._since = since
        before = 0.0 if since is None else (datetime.now(UTC) - since).total_seconds()
        self._started = time.monotonic() - before
        self._remaining_path = remaining_path
        self._can_insist = can_insist
        self.browsing = browsing or Browsing()
        self._log = log or LogPane(Path(), Path())
        self.board: Board | None = None
        """The run as it was when it was last shown."""
        self._said: deque[Event] = deque()
        self._reads_keys = browsing is not None and sends_keys(sys.stdin, sys.stdout)
        self._terminal = Terminal(sys.stdout, reads_keys=self._reads_keys)
        self._canvas = Canvas(lambda text: write(text, sys.stdout), colours_of(sys.stdout))
        self._drawing = Lock()
        self._on_exit = ExitStack()
        self._key_reader: KeyReader | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_watched = browsing is not None and browsing.can_leave

    def __enter__(self) -> Self:
        self._on_exit.enter_context(self._terminal)
        with suppress(OSError):
            write(HIDE_CURSOR, sys.stdout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._on_exit, suppress(OSError):
            if kind is None and self.board is not None:
                columns, lines = self._terminal.size
                self.browsing, self._reads_keys = Browsing(), False  # what stays is the table, and no key does anything
                goes_on = self._is_watched and not self.board.is_over
                self._draw(self.picture(columns, lines) if goes_on else self.last_picture(columns))
            self._log.close()
            write(SHOW_CURSOR, sys.stdout)

    def rest(self) -> float | None:
        """Return when the times in it are to go on, even if nothing happens; None once the run is over."""
        if self.board is not None and self.board.is_over:
            return None
        return LOOK_AGAIN if self.browsing.pane in (Pane.LOG, Pane.TASK) else CLOCK

    @contextmanager
    def keys(self, press: Callable[[Browsing, str, Board], object]) -> Iterator[None]:
        """Read keys within this context and hand them to ``press``; for within the event loop."""
        if not self._reads_keys:
            yield
            return

        def pressed(key: str) -> None:
            if self.board is not None:
                press(self.browsing, key, self.board)

        with KeyReader(sys.stdin.fileno(), pressed) as self._key_reader:
            self._loop = asyncio.get_running_loop()
            yield

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of how all tasks stand."""
        self.board = self._look(views)

    def say(self, event: Event) -> None:
        """Take note of what happened; failures, retries and milestones get a line that stays."""
        if event.kind in PERMANENT:
            self._said.append(event)

    def draw(self) -> None:
        """Write the lines that stay, and draw the table anew; nothing while others have the terminal."""
        if self._terminal.is_ours:
            if self._terminal.take():  # `fg` after `bg`, of which no signal tells
                write(HIDE_CURSOR, sys.stdout)
                if self._key_reader is not None and self._loop is not None:
                    self._loop.call_soon_threadsafe(self._key_reader.resume)
            self._draw(self.picture(*self._terminal.size))

    def suspend(self) -> None:
        """Leave the terminal to others: the picture stays, and the cursor is below it."""
        if self._key_reader is not None:
            self._key_reader.pause()
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
        if self._key_reader is not None:
            self._key_reader.resume()

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
                text = self._place.advice(text_line(event, can_insist=insist))
                said.append([Span(text, PERMANENT[event.kind])])
            self._canvas.draw(picture, self._terminal.size.columns, said)

    def picture(self, columns: int, lines: int) -> list[Line]:
        """Return what is looked at, as it is now: the progress and as much of the table as fits, or a task."""
        board, browsing = self.board, self.browsing
        if board is None:
            return []
        heard = {task.id: with_last_output(task, Path()) for task in board.running}
        board = replace(board, tasks=advise_tasks({**board.tasks, **heard}, self._place))
        foot = list(foot_of(browsing, board, columns))
        lines -= 1 + len(foot)  # one line less than there are, or the terminal scrolls
        if browsing.pane is Pane.TABLE:
            picture = self._table(board, browsing, columns, max(lines - HEAD, SHORTEST))
        else:
            picture = pane_picture(browsing, board, self._log, columns, max(lines, SHORTEST), self._place)
        return [cut(line, columns) for line in [*picture, *foot]]

    def _table(self, board: Board, browsing: Browsing, columns: int, rows: int) -> list[Line]:
        groups = groups_of(browsing.tasks(board).values())
        selected = browsing.selected
        folds = not board.is_over or sum(len(group.tasks) + 1 for group in groups) > rows
        choice = choose(groups, rows, folds=folds) if selected is None else choose_around(groups, selected, rows)
        width = min(columns, WIDEST)
        table = task_table(choice, board.now, width=width, is_over=board.is_over, selected=selected, fills=True)
        return [*self._progress(board, columns), *table, *_foot(choice, is_over=board.is_over)]

    def last_picture(self, columns: int) -> list[Line]:
        """Return the table that stays when the run is over: a line for each task, or for each group that is done."""
        board = self.board
        if board is None:
            return []
        groups = groups_of(advise_tasks(board.tasks, self._place).values())
        choice = choose(groups, None, folds=False)
        if len(choice.tasks) + len(choice.headings) > LONGEST_TABLE:
            choice = choose(groups, max(LONGEST_TABLE, board.total.failed + len(groups)))
        picture = [*task_table(choice, board.now, width=columns, is_over=True), *_foot(choice, is_over=True)]
        return [cut(line, columns) for line in picture]

    def _progress(self, board: Board, width: int) -> list[Line]:
        run, total, states = board.run, len(board.tasks), Counter(view.state for view in board.tasks.values())
        done, failed, blocked = (states[state] for state in (TaskState.COMPLETED, TaskState.FAILED, TaskState.BLOCKED))
        name = one_line(run.project) or one_line(run.cascade_file) or "nova run"
        head: list[Span] = [Span(one_line(name, max(width // 3, 10)), Ink.BOLD), Span("  ")]
        head += [*_bar(states, total, max(min(width // 3, 60), 8)), Span(f"  {done}/{total}")]
        head += [Span(f"  {failed} failed", Ink.RED)] if failed else []
        head += [Span(f"  {blocked} blocked")] if blocked else []
        head += _how_it_is(board)
        parts = [f"{stopwatch(self._elapsed(board))} elapsed"]
        if not board.is_over:
            left = time_left(board.tasks.values(), run.max_workers, self._remaining_path)
            about = "" if left is None else describe_duration(left) if left >= 10 else f"{left:.0f} s"
            parts += [f"~{about} left"] if about else []
            parts.append(f"{states[TaskState.IN_PROGRESS]}/{run.max_workers} busy")
        parts += [spent.text for spent in board.spent if spent.text != UNKNOWN]
        if width_of(" · ".join(parts)) > width:  # what it costs stands last, and must not be what is cut
            parts[0] = parts[0].removesuffix(" elapsed")
        hint = " · ? help" if self._reads_keys and width_of(" · ".join(parts)) + 9 <= width else ""
        return [head, [Span(" · ".join(parts) + hint, Ink.GREY)]]

    def _elapsed(self, board: Board) -> float:
        """Return for how long the run has gone on; not by the clock on the wall, which may be set."""
        if board.is_over and board.run.completed_at is not None and self._since is not None:
            return (board.run.completed_at - self._since).total_seconds()
        return time.monotonic() - self._started


def _how_it_is(board: Board) -> list[Span]:
    """Say of a run what is not plain from its tasks."""
    if board.is_over:
        return [Span(f"  run {board.condition}", ENDS.get(board.condition, Ink.RED))]
    gates = sum(task.needs_approval for task in board.tasks.values())
    how = ["stopping"] if board.run.is_stopping else ["paused"] if board.run.is_paused else []
    how += [f"{gates} to approve"] if gates else []
    return [Span(f"  {word}", Ink.AMBER) for word in how]


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
