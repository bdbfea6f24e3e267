"""An OTLP/HTTP receiver on the loopback interface, which reads requests with OpenTelemetry's published messages.

A request that is not an ExportTraceServiceRequest fails the test that sends it: it is answered with 400, and kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.outside.http_server import Answer, Request, http_server

IDS = {"traceId", "spanId", "parentSpanId"}  # OTLP's JSON has these in hexadecimal; JSON of protobuf would be base64


def as_protobuf_json(value: Any) -> Any:
    """OTLP's JSON as JSON of protobuf."""
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(one)).decode() if key in IDS else as_protobuf_json(one)
            for key, one in value.items()
        }
    return [as_protobuf_json(one) for one in value] if isinstance(value, list) else value


def attributes(pairs: Any) -> dict[str, Any]:
    """Attributes by their names."""

    def value_of(pair: KeyValue) -> Any:
        return getattr(pair.value, pair.value.WhichOneof("value") or "string_value")

    return {pair.key: value_of(pair) for pair in pairs}


class Receiver:
    """What receives spans.

    Attributes:
        url: without a path.
        answers: what to answer next instead of taking a request: a status, and a text or what becomes JSON.
        refuses: the text of which a request with it is refused.
        requests: all requests.
        spans: the spans that it took, by trace id and span id in hexadecimal; the last one of each.
        resources: the attributes of the resource of each of them.
        on_request: called before each answer.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        self.spans: dict[tuple[str, str], Span] = {}
        self.resources: dict[tuple[str, str], dict[str, Any]] = {}
        self.refuses = ""
        self.on_request: Callable[[], None] = lambda: None

    def take(self, http: Request) -> Answer:
        """Take a request."""
        self.requests.append(http)
        self.on_request()
        if self.answers:
            return self.answers.pop(0)
        if self.refuses and self.refuses in http.body:
            return 400, "one of them is refused"
        if http.path != "/v1/traces" or http.headers["Content-Type"] != "application/json":
            return 404, "not here"
        try:
            parsed = json_format.ParseDict(as_protobuf_json(json.loads(http.body)), ExportTraceServiceRequest())
        except (ValueError, json_format.Error) as error:
            return 400, str(error)
        for resource in parsed.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    key = span.trace_id.hex(), span.span_id.hex()
                    assert (len(span.trace_id), len(span.span_id)) == (16, 8)
                    self.spans[key] = span
                    self.resources[key] = attributes(resource.resource.attributes)
        return 200, {}

    def attribute(self, name: str) -> list[Any]:
        """The values that an attribute of the spans has, in the order of their ends."""
        spans = sorted(self.spans.values(), key=lambda span: (span.end_time_unix_nano, span.start_time_unix_nano))
        return [attributes(span.attributes).get(name) for span in spans]


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    """A receiver until the block ends."""
    receiver = Receiver()
    with http_server(receiver.take) as receiver.url:
        yield receiver
