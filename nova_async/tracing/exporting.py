"""Handing spans to OpenTelemetry's SDK, which sends them; nothing of it is loaded before somebody wants that."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, final

from nova_async.errors import ExtraMissingError
from nova_async.tracing.context import SpanRef
from nova_async.tracing.spans import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

__all__ = ["Export", "is_wanted", "unusable"]

WANTED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
NAME = "nova"  # of the service, and of what makes the spans


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the environment wants traces: by OpenTelemetry's own variables."""
    exporters = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().casefold() or "otlp"
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().casefold() == "true" or exporters == "none"
    return not is_off and any(environment.get(name, "").strip() for name in WANTED_BY)


def unusable(environment: Mapping[str, str] = os.environ) -> str | None:
    """Say what the environment wants that we have not; None where that is nothing."""
    exporters = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().casefold() or "otlp"
    if "otlp" not in exporters.split(","):
        return f"OTEL_TRACES_EXPORTER={exporters} is not supported: nova sends traces by otlp"
    protocol = next((found for name in PROTOCOLS if (found := environment.get(name, "").strip())), "http/protobuf")
    if protocol != "http/protobuf":
        return f"{protocol} is not supported: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf (port 4318)"
    return None


@final
class Export:
    """Sends spans in batches, from a thread of the SDK's; ``add`` never waits: what is too much is dropped.

    Raises ``ExtraMissingError`` if the extra is not installed. The first use takes half a second.
    """

    def __init__(self, exporter: "SpanExporter | None" = None) -> None:
        try:
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

                exporter = OTLPSpanExporter()
        except ImportError as error:
            raise ExtraMissingError("traces need the extra [otel]: pip install 'nova-async[otel]'") from error
        self._exporter = exporter
        self._processor = BatchSpanProcessor(exporter)
        self._resource = Resource.create()
        if str(self._resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            self._resource = self._resource.merge(Resource({SERVICE_NAME: NAME}))

    def add(self, span: Span) -> None:
        """Have a span sent, soon."""
        self._processor.on_end(as_readable(span, self._resource))

    def close(self) -> None:
        """Send what is left; it waits for the network, as long as the SDK does."""
        shutdown: Callable[[], object] = self._processor.shutdown
        shutdown()

    def give_up(self) -> None:
        """Try nothing again that has failed."""
        shutdown: Callable[[], object] = self._exporter.shutdown
        shutdown()


def as_readable(span: Span, resource: Any) -> "ReadableSpan":
    """Return a span as the SDK has it.

    It is made as it ended, and not begun and ended through a tracer: its id had to be known before it began, and no
    global state of the program is touched.
    """
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode

    code = {True: StatusCode.OK, False: StatusCode.ERROR, None: StatusCode.UNSET}[span.is_ok]
    return ReadableSpan(
        span.name,
        context=context_of(span.ref),
        parent=None if span.parent is None else context_of(span.parent, is_remote=True),
        resource=resource,
        attributes=span.attributes,
        events=[Event(each.name, each.attributes, nanoseconds(each.at)) for each in span.events],
        links=[Link(context_of(link)) for link in span.links],
        kind=SpanKind.INTERNAL,
        status=Status(code, span.error or None if code is StatusCode.ERROR else None),
        start_time=nanoseconds(span.begin),
        end_time=nanoseconds(span.end),
        instrumentation_scope=InstrumentationScope(NAME),
    )


def context_of(ref: SpanRef, *, is_remote: bool = False) -> "SpanContext":
    """Return which span it is, as the SDK has it."""
    from opentelemetry.trace import SpanContext, TraceFlags

    flags = TraceFlags(TraceFlags.SAMPLED if ref.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(ref.trace_id, ref.span_id, is_remote=is_remote, trace_flags=flags)


def nanoseconds(at: datetime) -> int:
    """Return a moment as OpenTelemetry has it, to the microsecond."""
    return round(at.timestamp() * 1_000_000) * 1_000
