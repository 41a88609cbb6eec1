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

from nova_async.agents.wording import one_line
from nova_async.cli.figures import describe_cost, describe_duration, short_count, stopwatch
from nova_async.cli.run_lines import text_line
from nova_async.cli.time_left import time_left
from nova_async.orchestrator.views import Event, TaskView

__all__ = ["RunTable"]

WIDE = 100  # columns from which there is room for names, attempts, and both kinds of tokens
LONGEST_NAME = 28  # characters
SHORTEST = 3  # rows of tasks, on however low a terminal
HEAD = 4  # lines above and below the tasks: two of progress, the titles, and "… more"

# In this order they are shown when not all fit, and counted when they are left out.
STATES: Mapping[str, tuple[str, str]] = {
    "in_progress": ("running", "yellow"),
    "failed": ("failed", "red"),
    "retrying": ("retrying", "magenta"),
    "ready": ("ready", "cyan"),
    "waiting": ("waiting", "dim"),
    "blocked": ("blocked", "dim red"),
    "completed": ("done", "green"),
}
PERMANENT = {"task_failed": "red", "task_retrying": "magenta", "milestone": "bold cyan", "stopping": "bold yellow"}


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
        self._states: dict[str, str] = {}
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
            views.values(), key=lambda view: (view.state != "in_progress", -self._age(view), order.index(view.state))
        )
        for view in chosen[:rows]:
            table.add_row(*self._cells(view, size.width, ""))
        left_out: Counter[str] = Counter(view.state for view in chosen[rows:])
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
        done, failed, running = states["completed"], states["failed"], states["in_progress"]
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
        if states["blocked"]:
            counted.append(f"  {states['blocked']} blocked", "red")
        head.add_row(Text(self._project, "bold"), bar, counted)
        parts = [f"{stopwatch(time.monotonic() - self._started)} elapsed"]
        left = time_left(views.values(), self._max_workers, self._remaining_path)
        parts += [f"~{describe_duration(left) if left >= 10 else f'{left:.0f} s'} left"] if left is not None else []
        parts.append(f"{running}/{self._max_workers} busy")
        if any(view.usage.total for view in views.values()):
            given = sum(view.usage.output_tokens for view in views.values())
            taken = sum(view.usage.total for view in views.values()) - given
            parts.append(f"{short_count(taken)} in, {short_count(given)} out")
        costs = [view.cost_usd for view in views.values() if view.cost_usd is not None]
        complete = all(view.cost_usd is not None for view in views.values() if view.usage.total)
        parts += [describe_cost(sum(costs), complete=complete)] if costs else []
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
                done = sum(task.state == "completed" for task in tasks)
                table.add_row(Text(title or "-", "bold"), Text(f"{done}/{len(tasks)}", "dim"))
            for task in tasks:
                table.add_row(*self._cells(task, width, "  " if len(groups) > 1 else ""))

    def _cells(self, view: TaskView, width: int, indent: str) -> list[Text]:
        word, style = STATES[view.state]
        name = one_line(view.name, LONGEST_NAME) if width >= WIDE and view.name else ""
        task = Text(f"{indent}{view.id}", "bold" if view.state == "in_progress" else "")
        task.append(f" {name}" if name else "", "dim")
        doing = Text(one_line(doing_of(view)), "red" if view.state == "failed" else "")
        if width < WIDE and view.attempt > 1:
            word = f"{word} ({view.attempt})"  # the attempt has no column of its own
        cells = [task, Text(word, style), doing]
        usage = view.usage
        if width >= WIDE:
            cells.append(Text(str(view.attempt) if view.attempt else ""))
            cells.append(Text(short_count(usage.total - usage.output_tokens) if usage.total else ""))
            cells.append(Text(short_count(usage.output_tokens) if usage.total else ""))
        else:
            cells.append(Text(short_count(usage.total) if usage.total else ""))
        cells.append(Text(describe_cost(view.cost_usd) if view.cost_usd is not None else ""))
        cells.append(Text(stopwatch(view.duration_seconds) if view.attempt else "", "dim"))
        return cells


def doing_of(view: TaskView) -> str:
    """Say what a task does, why it failed, or what it waits for."""
    if view.state == "in_progress":
        return view.activity or "starting"
    if view.state == "failed":
        return view.error or view.outcome or ""
    return "" if view.state == "completed" else view.reason or ""
