"""A run on a terminal: a table that is drawn over itself, with what must not be missed above it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nova_async._core.text import one_line
from nova_async.cli.display import cost_of, doing, tokens_of
from nova_async.cli.figures import describe_cost, describe_duration, short_count, stopwatch
from nova_async.cli.run_lines import text_line
from nova_async.cli.time_left import time_left
from nova_async.journal.rollup import sum_up
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind, TaskState

__all__ = ["RunTable"]

WIDE = 100  # columns from which there is room for names, attempts, and both kinds of tokens
LONGEST_NAME = 28  # characters
CLOCK = 1.0  # seconds
SHORTEST = 3  # rows of tasks, on however low a terminal
HEAD = 4  # lines above and below the tasks: two of progress, the titles, and "… more"

# In this order they are shown when not all fit, and counted when they are left out.
STATES: Mapping[TaskState, tuple[str, str]] = {
    TaskState.IN_PROGRESS: ("running", "yellow"),
    TaskState.FAILED: ("failed", "red"),
    TaskState.RETRYING: ("retrying", "magenta"),
    TaskState.READY: ("ready", "cyan"),
    TaskState.WAITING: ("waiting", "dim"),
    TaskState.BLOCKED: ("blocked", "dim red"),
    TaskState.COMPLETED: ("done", "green"),
}
PERMANENT = {
    EventKind.TASK_FAILED: "red",
    EventKind.TASK_RETRYING: "magenta",
    EventKind.MILESTONE: "bold cyan",
    EventKind.WARNING: "bold yellow",
    EventKind.STOPPING: "bold yellow",
}


@final
class RunTable:
    """Shows all tasks that fit, those that run first; a context manager that leaves the terminal as it was."""

    wants_views = True

    def __init__(
        self,
        project: str,
        total: int,
        max_workers: int,
        console: Console,
        remaining_path: Callable[[str], int] | None = None,
    ) -> None:
        self._project = one_line(project, 200) or "nova run"
        self._total = total
        self._max_workers = max_workers
        self._console = console
        self._remaining_path = remaining_path
        self._views: Mapping[str, TaskView] = {}
        self._said: deque[Event] = deque()
        self._changed: dict[str, int] = {}  # task -> when its state changed last, as a running number
        self._states: dict[str, TaskState] = {}
        self._changes = 0
        self._started = time.monotonic()
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

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
        """Write the lines that stay, and draw the table anew."""
        while self._said:
            event = self._said.popleft()
            self._console.print(Text(text_line(event), style=PERMANENT[event.kind]), soft_wrap=True)
        self._live.update(self.picture(), refresh=True)

    def picture(self) -> RenderableType:
        """Return the progress and the table, as they are now."""
        views = self._views
        self._note_changes(views)
        size = self._console.size
        rows = max(size.height - HEAD - 1, SHORTEST)  # one line less than there are, or the terminal scrolls
        groups = {(view.branch, view.group) for view in views.values()}
        table = self._new_table(size.width)
        # A lone group needs no heading.
        if len(views) + (len(groups) if len(groups) > 1 else 0) <= rows:
            self._add_groups(table, views, size.width)
            return Group(self._progress(views, size.width), table)
        order = list(STATES)
        chosen = sorted(
            views.values(),
            key=lambda view: (view.state is not TaskState.IN_PROGRESS, -self._age(view), order.index(view.state)),
        )
        for view in chosen[:rows]:
            table.add_row(*self._cells(view, size.width, ""))
        left_out: Counter[TaskState] = Counter(view.state for view in chosen[rows:])
        if not left_out:
            return Group(self._progress(views, size.width), table)
        more = ", ".join(f"{left_out[state]} more {STATES[state][0]}" for state in order if left_out[state])
        foot = Text(f"… {more}", "dim", no_wrap=True, overflow="ellipsis")
        return Group(self._progress(views, size.width), table, foot)

    def _note_changes(self, views: Mapping[str, TaskView]) -> None:
        for task_id, view in views.items():
            if self._states.get(task_id) != view.state:
                if task_id in self._states:
                    self._changes += 1
                    self._changed[task_id] = self._changes
                self._states[task_id] = view.state

    def _age(self, view: TaskView) -> int:
        return self._changed.get(view.id, 0)

    def _progress(self, views: Mapping[str, TaskView], width: int) -> RenderableType:
        states = Counter(view.state for view in views.values())
        done, failed = states[TaskState.COMPLETED], states[TaskState.FAILED]
        head = Table.grid(padding=(0, 2, 0, 0))
        head.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width // 3, 10))
        head.add_column(no_wrap=True)
        head.add_column(no_wrap=True)
        bar = ProgressBar(
            total=max(self._total, 1),
            completed=done + failed,
            width=max(min(width // 3, 60), 8),
            complete_style="green",
            finished_style="green",
        )
        counted = Text(f"{done}/{self._total}")
        if failed:
            counted.append(f"  {failed} failed", "red")
        if blocked := states[TaskState.BLOCKED]:
            counted.append(f"  {blocked} blocked", "red")
        head.add_row(Text(self._project, "bold"), bar, counted)
        parts = [f"{stopwatch(time.monotonic() - self._started)} elapsed"]
        left = time_left(views.values(), self._max_workers, self._remaining_path)
        parts += [f"~{describe_duration(left) if left >= 10 else f'{left:.0f} s'} left"] if left is not None else []
        parts.append(f"{states[TaskState.IN_PROGRESS]}/{self._max_workers} busy")
        sums = sum_up(views.values())
        if sums.usage.total:
            given = sums.usage.output_tokens
            parts.append(f"{short_count(sums.usage.total - given)} in, {short_count(given)} out")
        if sums.cost_usd:
            parts.append(describe_cost(sums.cost_usd, complete=sums.cost_is_complete))
        return Group(head, Text(" · ".join(parts), "dim", no_wrap=True, overflow="ellipsis"))

    def _new_table(self, width: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=max(width // 4, 8))
        table.add_column("state", no_wrap=True)
        table.add_column("doing", no_wrap=True, overflow="ellipsis", ratio=1)
        if width >= WIDE:
            table.add_column("try", justify="right", no_wrap=True)
            table.add_column("in", justify="right", no_wrap=True)
            table.add_column("out", justify="right", no_wrap=True)
        else:
            table.add_column("tokens", justify="right", no_wrap=True)
        table.add_column("cost", justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        return table

    def _add_groups(self, table: Table, views: Mapping[str, TaskView], width: int) -> None:
        groups: dict[tuple[str, str], list[TaskView]] = {}
        for view in views.values():
            groups.setdefault((view.branch, view.group), []).append(view)
        for (branch, group), tasks in groups.items():
            title = one_line(group or branch)
            if len(groups) > 1:
                done = sum(task.state is TaskState.COMPLETED for task in tasks)
                table.add_row(Text(title or "-", "bold"), Text(f"{done}/{len(tasks)}", "dim"))
            for task in tasks:
                table.add_row(*self._cells(task, width, "  " if len(groups) > 1 else ""))

    def _cells(self, view: TaskView, width: int, indent: str) -> list[Text]:
        word, style = STATES[view.state]
        name = one_line(view.name, LONGEST_NAME) if width >= WIDE and view.name else ""
        task = Text(f"{indent}{view.id}", "bold" if view.state is TaskState.IN_PROGRESS else "")
        task.append(f" {name}" if name else "", "dim")
        what = Text(one_line(doing(view)), "red" if view.state is TaskState.FAILED else "")
        if width < WIDE and view.attempt > 1:
            word = f"{word} ({view.attempt})"  # the attempt has no column of its own
        cells = [task, Text(word, style), what]
        if width >= WIDE:
            cells.append(Text(str(view.attempt) if view.attempt else ""))
            taken = view.usage.total - view.usage.output_tokens
            cells.append(Text(tokens_of(view, taken)))
            cells.append(Text(tokens_of(view, view.usage.output_tokens)))
        else:
            cells.append(Text(tokens_of(view, view.usage.total)))
        cells.append(Text(cost_of(view)))
        cells.append(Text(stopwatch(view.duration_seconds) if view.attempt else "", "dim"))
        return cells
