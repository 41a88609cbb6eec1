"""One thing after the other: what handling one happening makes happen is handled after it."""

from collections import deque
from collections.abc import Callable
from typing import final

from nova_async.orchestrator.happenings import Happening

__all__ = ["InTurn"]


@final
class InTurn:
    """Hands on what happens in a run, in order.

    Handling it may make something else happen: a listener may stop the run. That comes after all of it, or a task that
    is just about to begin would hear nothing of the stop. ``settled`` is called whenever nothing waits.
    """

    def __init__(self, handle: Callable[[Happening], object], settled: Callable[[], object]) -> None:
        self._handle = handle
        self._settled = settled
        self._waiting: deque[Happening] = deque()
        self._is_handling = False

    def put(self, happening: Happening) -> None:
        """Handle it now, or after what is being handled."""
        self._waiting.append(happening)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._waiting:
                self._handle(self._waiting.popleft())
                if not self._waiting:
                    self._settled()
        finally:
            self._is_handling = False
