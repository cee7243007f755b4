"""A receiver of OTLP over HTTP, which decodes what it gets."""

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from taskmanager.embedded import ports
from tests.quiet_server import QuietHandler, QuietServer


class ReceivedSpan(NamedTuple):
    """A span, with the fields that tests look at."""

    role: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    failed: bool
    fields: dict[str, Any]
    notes: list[dict[str, Any]]


class Collector:
    """Keeps the spans that it gets. While it `hangs` it answers nothing; else with `status`."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: dict[str, str] = {}
        self.raw: list[bytes] = []
        self.attempts = 0
        self.status = 200
        self.asked = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._server: Any = None

    @property
    def url(self) -> str:
        return f"http://{ports.LOCALHOST}:{self._server.server_port}/v1/traces"

    @property
    def hangs(self) -> bool:
        return not self._free.is_set()

    def hang(self) -> None:
        self.asked.clear()
        self._free.clear()

    def go_on(self) -> None:
        self._free.set()

    def named(self, name: str) -> ReceivedSpan:
        """The one span of this name."""
        [found] = [span for span in self.spans if span.name == name]
        return found

    def open(self) -> None:
        collector = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.attempts += 1
                collector.asked.set()
                if collector._free.wait(60) and collector.status == 200:
                    collector.headers = {name.lower(): value for name, value in self.headers.items()}
                    collector.raw.append(body)
                    collector.spans += _spans_of(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = QuietServer(Handler)

    def close(self) -> None:
        self.go_on()
        self._server.close()


def _spans_of(body: bytes) -> Iterator[ReceivedSpan]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _values(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    role=resource["taskmanager.role"],
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    failed=span.status.code == 2,
                    fields=_values(span.attributes),
                    notes=[_values(note.attributes) for note in span.events],
                )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
