"""A line each minute while a run is shown as lines: in a log of CI or a pipe, silence looks like a hang."""

import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO, final

from nova_async._core.text import listed, one_line
from nova_async.cli.display import Display
from nova_async.cli.say import write
from nova_async.control.figures import clock_time
from nova_async.control.looks import count_states, doing, is_waiting_for_a_limit, look_of
from nova_async.journal.last_output import with_last_output
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["Heartbeat", "heartbeat_line"]

EVERY = 60.0  # seconds; the CI services that end silent jobs wait for ten minutes
MOST_NAMED = 5  # tasks in one line
LONGEST_STEP = 60  # characters of what a task does


@final
class Heartbeat:
    """Shows what another display of lines shows, and each minute what runs, since when, and how far the run is."""

    def __init__(
        self, lines: Display, output: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines = lines
        self._output = output
        self._clock = clock
        self._due = clock() + EVERY
        self._views: Mapping[str, TaskView] = {}

    @property
    def wants_views(self) -> bool:
        """Whether it is time for the line: until then nobody need look at all tasks."""
        return self._clock() >= self._due or self._lines.wants_views

    def rest(self) -> float:
        """Return the seconds until the next line."""
        return max(self._due - self._clock(), 0.0)

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of how all tasks stand."""
        self._views = views
        self._lines.show(views)

    def say(self, event: Event) -> None:
        """Take note of what happened."""
        self._lines.say(event)

    def draw(self) -> None:
        """Write what has happened, and the line if it is time for it."""
        self._lines.draw()
        now = self._clock()
        if now < self._due:
            return
        self._due = now + EVERY
        if line := heartbeat_line(list(self._views.values())):
            write(f"{clock_time(datetime.now(UTC))} {line}\n", self._output or sys.stdout)

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)


def heartbeat_line(tasks: Collection[TaskView]) -> str:
    """Say what runs, since when, and how far the run is; nothing where there are no tasks."""
    running = [task for task in tasks if task.state is TaskState.IN_PROGRESS]
    at_work = running or [task for task in tasks if task.state is TaskState.RETRYING]
    now = datetime.now(UTC)
    named = [describe(with_last_output(task, Path()), now) for task in at_work[:MOST_NAMED]]
    named += [f"{len(at_work) - MOST_NAMED} more"] if len(at_work) > MOST_NAMED else []
    if not at_work and (gates := [task.id for task in tasks if task.needs_approval]):
        named = [f"{listed(gates, MOST_NAMED)} {'waits' if len(gates) == 1 else 'wait'} for approval"]
    elif not at_work and (waits := sorted({doing(task, now) for task in tasks if is_waiting_for_a_limit(task)})):
        named = waits[:MOST_NAMED]
    counts = count_states([task.state for task in tasks])
    told = ", ".join(named) if named and not at_work else f"still running: {', '.join(named) or 'nothing'}"
    return f"{told} · {', '.join(counts)}" if tasks else ""


def describe(task: TaskView, now: datetime) -> str:
    """Name a task that is under way, since when it is, and what it does."""
    since = f" since {clock_time(task.started_at)}" if task.started_at else ""
    word = look_of(task).word
    step = one_line(" ".join(filter(None, ("" if word == "running" else word, doing(task, now)))), LONGEST_STEP)
    return f"{task.id}{since}" + (f" ({step})" if step else "")
