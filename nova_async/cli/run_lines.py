"""A run as lines: one for each event, for people who read a log of it, or as JSON for programs."""

import json
import sys
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TextIO, final

from nova_async._core.advice import HERE, Place
from nova_async.cli.say import write
from nova_async.control.event_words import describe_event
from nova_async.control.figures import clock_time
from nova_async.records import Event
from nova_async.views import TaskView
from nova_async.words import EventKind

__all__ = ["RunLines", "as_json_line", "json_line", "text_line"]

INSIST = "; press Ctrl-C again to kill them"


def json_line(event: Event) -> str:
    """Write an event as one line of JSON."""
    return as_json_line(event.as_dict())


def as_json_line(document: Mapping[str, Any]) -> str:
    """Write a document as one line of JSON, in which a runner of GitHub finds no command: ``##[name]`` is one."""
    text = json.dumps(document)  # not msgspec: it refuses halves of surrogate pairs, which paths may hold
    return text.replace("##[", "#\\u0023[")  # only strings can hold it


def text_line(event: Event, *, can_insist: bool = False) -> str:
    """Write an event as one line for people, with the time, and that a second Ctrl-C kills where that is so."""
    hint = INSIST if can_insist and event.kind is EventKind.STOPPING and event.data.get("running") else ""
    return f"{clock_time(event.at)} {describe_event(event)}{hint}"


@final
class RunLines:
    """Writes each event as a line. ``can_insist`` tells whether a second Ctrl-C would kill what is being stopped."""

    wants_views = False

    def __init__(
        self,
        output: TextIO | None = None,
        *,
        as_json: bool = False,
        can_insist: Callable[[], bool] = lambda: False,
        place: Place = HERE,
    ) -> None:
        self._output = output
        self._write = json_line if as_json else lambda event: place.advice(text_line(event, can_insist=can_insist()))
        self._is_told: Callable[[Event], object] = (lambda event: True) if as_json else describe_event
        self._waiting: deque[Event] = deque()

    def rest(self) -> None:
        """Lines are written when something happens, and at no other time."""

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of nothing: lines tell what happens, not how it stands."""

    def say(self, event: Event) -> None:
        """Take note of what happened."""
        if self._is_told(event):
            self._waiting.append(event)

    def draw(self) -> None:
        """Write the events that wait."""
        while self._waiting:
            write(self._write(self._waiting.popleft()) + "\n", self._output or sys.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
