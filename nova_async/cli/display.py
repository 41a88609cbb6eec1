"""What shows a run while it goes on: a table, or lines."""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from nova_async.records import Event
from nova_async.views import TaskView

__all__ = ["Display"]


class Display(Protocol):
    """Shows a run. The first two methods only take note; ``draw`` may wait for a terminal that does not read."""

    @property
    def wants_views(self) -> bool:
        """Whether ``show`` is of any use before the next ``draw``."""
        ...

    def rest(self) -> float | None:
        """Return after how many seconds it is to be drawn again though nothing has happened; None: never."""

    def show(self, views: Mapping[str, TaskView]) -> None:
        """Take note of how all tasks stand; cheap."""

    def say(self, event: Event) -> None:
        """Take note of what happened; cheap."""

    def draw(self) -> None:
        """Show all that was taken note of; for a thread of its own. Raises ``OSError`` when nobody reads any more."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
