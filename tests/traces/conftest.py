"""A receiver of traces, a server that sends its own, and this process, which sends those of relay and workers."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.telemetry import otlp, spans
from tests.scene import scene
from tests.traces.collector import Collector
from tests.web_server import WebServer

__all__ = ["scene"]


class Caller(NamedTuple):
    """The context of a caller's span."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


@pytest.fixture
def of_caller() -> Caller:
    """Of this test alone: a span that another test has caused is in another trace."""
    return Caller(secrets.token_hex(16), secrets.token_hex(8))


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    collector.open()
    yield collector
    collector.close()


@pytest.fixture
def tracing(settings: Settings, collector: Collector) -> Iterator[Callable[..., Any]]:
    """Begins to trace in this process: `tracing(traces_sample=0)`."""
    made: list[otlp.OtlpTracer] = []

    def begin(**changes: Any) -> otlp.OtlpTracer:
        changes = {"traces_url": collector.url, "traces_sample": 1.0} | changes
        spans.active.tracer = tracer = otlp.OtlpTracer(settings.model_copy(update=changes), "worker")
        made.append(tracer)
        return tracer

    yield begin
    for tracer in made:
        tracer.end()


@pytest.fixture
def traced_server(app, settings: Settings, collector: Collector, tmp_path) -> Iterator[WebServer]:
    changes = {"traces_url": collector.url, "traces_sample": 1.0, "web_processes": 1}
    server = WebServer(settings, tmp_path / "log", **changes)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def secret_header() -> dict[str, Any]:
    return {"traces_headers": SecretStr("Authorization=ApiKey canary-of-traces-3f9a")}
