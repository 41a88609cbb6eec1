"""Tracing a run, beside it: an endpoint that is slow or dead costs it nothing but a few seconds at its end."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, final

from nova_async._core.cancellation import finish
from nova_async._core.threads import DiskThreads
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.records import Attempt, AttemptId, Event
from nova_async.tracing.context import SpanRef, parent_in, span_of
from nova_async.tracing.exporting import Export
from nova_async.tracing.spans import Spans

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["traced"]

LAST_SECONDS = 3.0  # for the spans that are left when the run is over

THREADS = DiskThreads("nova-tracing")  # daemons: at exit nobody waits for an endpoint that does not answer


@asynccontextmanager
async def traced(orchestrator: Orchestrator, exporter: "SpanExporter | None" = None) -> AsyncIterator[None]:
    """Trace a run, which must be within this context: itself, its tasks, their attempts.

    ``exporter`` is one of OpenTelemetry's; without it, spans go where the variables ``OTEL_EXPORTER_OTLP_…`` say. The
    run's span belongs to that of ``TRACEPARENT``, if this is set; each attempt's program finds its own there. At the
    end this waits for at most three seconds. Raises ``ExtraMissingError`` without the extra ``[otel]``.
    """
    export = await asyncio.wrap_future(THREADS.submit(Export, exporter))
    trace = Trace(orchestrator, export)
    orchestrator.add_variables(trace.variables_of)
    no_more = orchestrator.listen(lambda task_id: None, trace.told)
    try:
        yield
    finally:
        no_more()
        await finish(asyncio.get_running_loop().create_task(close(export)), lambda: None)


async def close(export: Export) -> None:
    """Let what is left be sent, for a while."""
    with suppress(TimeoutError, OSError):  # there may be no thread left
        async with asyncio.timeout(LAST_SECONDS):
            await asyncio.wrap_future(THREADS.submit(export.close))
        return
    with suppress(OSError):
        THREADS.submit(export.give_up)


@final
class Trace:
    """What a run tells, as spans."""

    def __init__(self, orchestrator: Orchestrator, export: Export) -> None:
        self._orchestrator = orchestrator
        self._export = export
        self._parent = parent_in(os.environ.get("TRACEPARENT", ""))
        parent = self._parent or SpanRef(secrets.randbits(128) or 1, 0)
        self._run = parent.child("run", orchestrator.run_view.run_id)
        self._spans = Spans(
            self._run, self._parent, attempt_of=self._attempt_of, model_of=self._model_of,
            name_of=lambda task_id: orchestrator.views[task_id].name,
        )  # fmt: skip

    def told(self, event: Event) -> None:
        """Send what has ended."""
        for span in self._spans.ended(event):
            self._export.add(span)

    def variables_of(self, attempt: AttemptId) -> Mapping[str, str]:
        """Return what the programs of an attempt are told of its span."""
        return {"TRACEPARENT": span_of(self._run, attempt).traceparent}

    def _attempt_of(self, task_id: str) -> Attempt | None:
        attempts = self._orchestrator.views[task_id].attempts
        return attempts[-1] if attempts else None

    def _model_of(self, attempt: Attempt) -> str | None:
        """Return the model that the plan names for the agent that has served."""
        cascade, start = self._orchestrator.cascade, attempt.start
        served = (each.options for each in cascade.in_order(cascade.tasks[start.id.task_id]))
        return next(
            (found.model for found in served if (found.agent, found.account) == (start.agent, start.account)), None
        )
