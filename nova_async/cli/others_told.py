"""Who else is told of a run while it goes on: those whom ``notify`` names, and whoever collects traces."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, final

from nova_async.cli.say import tell
from nova_async.errors import ExtraMissingError

if TYPE_CHECKING:
    from nova_async.orchestrator.orchestrator import Orchestrator

__all__ = ["others_told"]


@asynccontextmanager
async def others_told(orchestrator: "Orchestrator", ring: Callable[[str], object] | None) -> AsyncIterator[None]:
    """Tell them of a run, which must be within this context; nothing is loaded where there is nobody."""
    async with AsyncExitStack() as stack:
        if any(name.startswith("OTEL_") for name in os.environ):
            await trace(orchestrator, stack)
        if orchestrator.cascade.settings.notify:
            from nova_async.notice.notifying import notifying

            await stack.enter_async_context(notifying(orchestrator, ring=ring, on_trouble=tell))
        yield


async def trace(orchestrator: "Orchestrator", stack: AsyncExitStack) -> None:
    """Trace a run, if the environment wants that and it is possible; what is missing is told, and the run begins."""
    from nova_async.tracing.exporting import is_wanted, unusable
    from nova_async.tracing.tracing import traced

    if not is_wanted():
        return
    if (why := unusable()) is not None:
        tell(f"warning: no traces: {why}")
        return
    stack.callback(Complaints().tell)
    try:
        await stack.enter_async_context(traced(orchestrator))
    except ExtraMissingError as error:
        tell(f"warning: {error}")


@final
class Complaints(logging.Handler):
    """What OpenTelemetry says of its troubles, which would stand in the middle of the table: told once, at the end."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._first = ""
        log = logging.getLogger("opentelemetry")
        log.addHandler(self)
        log.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first."""
        self._first = self._first or record.getMessage()

    def tell(self) -> None:
        """Tell it."""
        if self._first:
            tell(f"warning: traces: {self._first}")
