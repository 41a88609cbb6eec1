"""What the orchestrator tells ``decide`` about the machine: its places, its memory, and how its clocks stand."""

import time
from collections.abc import Iterator
from typing import final

from nova_async.attempt.executor import Executor
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.orchestrator.happenings import Begun, Ended, Happening, Memory, Offset, Woken, Workers
from nova_async.orchestrator.placing import capacity_of
from nova_async.orchestrator.run_state import RunState
from nova_async.process.free_memory import available_memory
from nova_async.words import TaskState

__all__ = ["Machine"]

SET_SECONDS = 0.5  # that UTC has gone ahead or back: no clock drifts so far, but a machine that sleeps does


@final
class Machine:
    """Where attempts run; at most ``max_workers`` of them at once."""

    def __init__(self, executor: Executor, max_workers: int) -> None:
        self._executor = executor
        self._max_workers = max_workers

    def want(self, max_workers: int) -> Workers:
        """Have at most so many attempts run at once from now on; return what happens by that."""
        self._max_workers = max_workers
        return Workers(capacity_of(self._executor, max_workers))

    def news(self, state: RunState, event: Happening, now: float) -> Iterator[Happening]:
        """Yield what is new when something happens; ``now`` is on the clock of the event loop.

        Memory is looked at only while a task waits to begin, and told first: whatever is told may let one begin.
        """
        is_asked = state.memory.wanted is not None and state.schedule.count(TaskState.READY)
        # Elsewhere our memory says nothing; and nothing else that happens frees any.
        if is_asked and isinstance(self._executor, LocalExecutor) and isinstance(event, Begun | Ended | Woken):
            available = available_memory()
            if available is not None:
                yield Memory(available)
        if abs((offset := time.time() - now) - state.utc_offset) > SET_SECONDS:
            yield Offset(offset)
        if (places := capacity_of(self._executor, self._max_workers)) != state.max_workers:
            yield Workers(places)
