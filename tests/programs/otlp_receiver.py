"""Receives traces as a collector does, by OTLP over HTTP: prints its port, then each span as a line of JSON."""

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


def value_of(value: AnyValue) -> object:
    """Return an attribute's value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return getattr(value, kind)


def table(attributes: "list[KeyValue]") -> dict[str, object]:
    """Return attributes by name."""
    return {each.key: value_of(each.value) for each in attributes}


class Receiver(BaseHTTPRequestHandler):
    """Takes one request."""

    def do_POST(self) -> None:
        """Print its spans."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    said = {
                        "path": self.path, "service": table(resource.resource.attributes)["service.name"],
                        "name": span.name, "trace": span.trace_id.hex(), "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(), "attributes": table(span.attributes),
                        "events": [event.name for event in span.events],
                        "links": [link.span_id.hex() for link in span.links],
                        "status": span.status.code, "error": span.status.message,
                        "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
                    }  # fmt: skip
                    print(json.dumps(said), flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own word
        """Say nothing."""


with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
