"""Ringing the terminal that a run is shown on: as the last bytes of a picture, where they move nothing in it."""

import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self, final

from nova_async.cli.display import Display
from nova_async.cli.ink import is_terminal
from nova_async.cli.say import write
from nova_async.cli.terminal import is_in_foreground
from nova_async.records import Event
from nova_async.views import TaskView

__all__ = ["Ringing"]


@final
class Ringing:
    """Shows what another display shows, and rings in between; on what is no terminal of ours, it is silent."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._waiting: deque[str] = deque()

    def ring(self, text: str) -> None:
        """Take note of what the terminal is to do."""
        self._waiting.append(text)

    @property
    def wants_views(self) -> bool:
        """Whether the other display wants them."""
        return self._display.wants_views

    def rest(self) -> float | None:
        """Return when the other display is to be drawn again."""
        return self._display.rest()

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Hand on how all tasks stand."""
        self._display.show(views)

    def say(self, event: Event) -> None:
        """Hand on what happened."""
        self._display.say(event)

    def draw(self) -> None:
        """Draw, then ring."""
        self._display.draw()
        self._ring()

    def _ring(self) -> None:
        while self._waiting:
            text = self._waiting.popleft()
            if is_terminal(sys.stdout) and is_in_foreground(sys.stdout.fileno()):
                write(text, sys.stdout)

    def __enter__(self) -> Self:
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.__exit__(kind, error, trace)
        with suppress(OSError):
            self._ring()
