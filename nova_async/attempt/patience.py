"""An agent that says on standard error alone that it waits for a usage limit: its silence confirms that."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import final

from nova_async.agents import AgentReport

__all__ = ["Patience"]

SECONDS = 10.0  # without an event; a line that a hook or a tool's server has printed is soon followed by one


@final
class Patience:
    """Calls ``give_up`` once an agent has waited for a limit for some seconds without an event, with its report."""

    def __init__(self, give_up: Callable[[AgentReport], object]) -> None:
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self._report = AgentReport()

    def note(self, report: AgentReport) -> None:
        """Take note of what the agent reports now."""
        self._report = report
        if report.waits_for is None:
            self.close()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self._is_over)

    def close(self) -> None:
        """Wait no more; harmless to repeat."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_over(self) -> None:
        self._timer = None
        self._give_up(replace(self._report, limit=self._report.waits_for))
