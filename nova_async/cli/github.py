"""GitHub Actions: folded logs of failed tasks, annotations, a summary; and nothing an agent prints is a command there.

The runner takes lines of a step's output for commands: ``::name::`` at the beginning of a line, and ``##[name]``
anywhere in one. Whatever we write between ours is therefore fenced by ``::stop-commands::``, with a token that nobody
can know before. https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

import os
import secrets
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, final

from nova_async._core.text import clean, one_line
from nova_async.cli.display import Display
from nova_async.cli.log_end import end_of_log, log_that_tells
from nova_async.cli.say import write
from nova_async.control.event_words import describe_event
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind

__all__ = ["Annotated", "Fence", "annotation", "is_github"]

MOST_ANNOTATIONS = 10  # of each level; GitHub shows no more of one step
LONGEST = 1_000  # characters of one

LEVELS = {
    EventKind.TASK_FAILED: "error",
    EventKind.TASK_RETRYING: "warning",
    EventKind.WARNING: "warning",
    EventKind.MILESTONE: "notice",
}


def is_github() -> bool:
    """Tell whether what we write is read by the runner of a workflow."""
    return os.environ.get("GITHUB_ACTIONS") == "true" and sys.stdout is not None and not sys.stdout.isatty()


def annotation(level: str, title: str, text: str) -> str:
    """Return the command that shows a text beside the run; a line feed in it is one there, and ends nothing."""
    message = escaped(clean(text)[:LONGEST])
    return f"::{level} title={escaped(one_line(title)).replace(':', '%3A').replace(',', '%2C')}::{message}\n"


def escaped(text: str) -> str:
    """Return a text as a command has it: on one line, whatever it holds."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


@final
class Fence:
    """Between its beginning and its end the runner takes nothing for a command but what goes through ``tell``."""

    def __init__(self) -> None:
        self._token = ""

    def tell(self, command: str) -> None:
        """Write a command of ours, in one piece with the gap in the fence that it needs."""
        write(f"{self._end()}{command}{self._begin()}", sys.stdout)

    @contextmanager
    def around(self) -> Iterator[Self]:
        """Keep it up meanwhile; a reader that has gone away is for others to notice."""
        with suppress(OSError):
            write(self._begin(), sys.stdout)
        try:
            yield self
        finally:
            with suppress(OSError):
                write(self._end(), sys.stdout)

    def _begin(self) -> str:
        self._token = secrets.token_hex(16)
        return f"::stop-commands::{self._token}\n"

    def _end(self) -> str:
        return f"::{self._token}::\n"


@final
class Annotated:
    """Shows what another display of lines shows, and tells GitHub what failed, with the end of its log in a fold."""

    def __init__(self, lines: Display, fence: Fence) -> None:
        self._lines = lines
        self._fence = fence
        self._waiting: deque[Event] = deque()
        self._views: Mapping[str, TaskView] = {}
        self._left = dict.fromkeys(LEVELS.values(), MOST_ANNOTATIONS)

    @property
    def wants_views(self) -> bool:
        """Whether the log of a failed task is to be found."""
        return bool(self._waiting) or self._lines.wants_views

    def rest(self) -> float | None:
        """Return when the other one is to be drawn again."""
        return self._lines.rest()

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of how all tasks stand."""
        self._views = views
        self._lines.show(views)

    def say(self, event: Event) -> None:
        """Take note of what happened."""
        self._lines.say(event)
        if event.kind in LEVELS:
            self._waiting.append(event)

    def draw(self) -> None:
        """Write what has happened."""
        self._lines.draw()
        while self._waiting:
            self._tell(self._waiting.popleft())

    def _tell(self, event: Event) -> None:
        task = self._views.get(event.task_id or "")
        if event.kind is EventKind.TASK_FAILED and task is not None:
            self._fold_log(task)
        level = LEVELS[event.kind]
        if self._left[level] > 0:
            self._left[level] -= 1
            title = f"{event.task_id} {task.name if task else ''}" if event.task_id else "nova"
            self._fence.tell(annotation(level, title.strip(), describe_event(event)))

    def _fold_log(self, task: TaskView) -> None:
        lines = end_of_log(task)
        if not lines:
            return
        head = one_line(f"{task.id} failed: the end of {log_that_tells(task)}")
        self._fence.tell(f"::group::{escaped(head)}\n")
        write("\n".join(lines) + "\n", sys.stdout)
        self._fence.tell("::endgroup::\n")

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)
