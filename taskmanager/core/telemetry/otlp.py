"""Traces by OpenTelemetry, sent by OTLP over HTTP. Imported only where `TASKMANAGER_TRACES_URL` is set.

Spans wait in a queue of bounded size and are sent by a thread. A receiver that hangs, refuses or is away costs spans,
and nothing else. A process that RQ forks for a job sends its spans at the end of the job, for a second at most.
"""

import atexit
import logging
import mmap
import os
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import Any

import structlog
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from taskmanager import __version__
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.configuration.telemetry_settings import parse_headers
from taskmanager.core.telemetry import spans
from taskmanager.core.telemetry.instruments import SPANS, labelled

log = structlog.get_logger("taskmanager.traces")

_MAX_WAITING, _MAX_BATCH = 4096, 512
_DELAY_MS = 1000
_SEND_SECONDS = 5.0
_END_SECONDS = 1.0  # that the end of a process waits for the last spans
_AWAY_SECONDS = 30.0  # for which forks lose their spans, after one has waited so long in vain
_MOMENT = struct.Struct("d")
_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_NONE = context.Context()
_records: ContextVar[bool] = ContextVar("records", default=False)  # asked for each command: quicker than the library


def begin(settings: Settings, role: str) -> None:
    """Make and send spans from now on, in this process."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it has a line for each span that is lost
    spans.active.tracer = tracer = OtlpTracer(settings, role)
    atexit.register(tracer.end)


class OtlpTracer:
    """Makes spans of OpenTelemetry; see `spans.Tracer`."""

    def __init__(self, settings: Settings, role: str) -> None:
        self._ratio, self._follows = settings.traces_sample, settings.traces_follow_callers
        resource = Resource.create(
            {
                "service.name": "taskmanager",
                "service.version": __version__,
                "service.instance.id": f"{role}:{socket.gethostname()}:{os.getpid()}",
                "deployment.environment.name": settings.environment,
                "taskmanager.role": role,
            }
        )
        self._process, self._away_until = os.getpid(), mmap.mmap(-1, _MOMENT.size)  # which forks share
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        self._sender = _sender(settings, self._is_away)
        self._provider.add_span_processor(_Waiting(self._sender))
        self._tracer = self._provider.get_tracer("taskmanager", __version__)

    def end_of_job(self) -> None:
        """Send what waits and end, if this process is a fork: RQ ends those with their job, without `atexit`.

        Spans are lost for a while after the receiver did not answer in time, so that jobs wait for it once.
        """
        if os.getpid() == self._process or self._is_away():
            return
        if not self.end():
            self._away_until[:] = _MOMENT.pack(time.monotonic() + _AWAY_SECONDS)

    def _is_away(self) -> bool:
        """Return whether this process is a fork, and one before it has waited in vain."""
        return os.getpid() != self._process and time.monotonic() < _MOMENT.unpack(self._away_until[:])[0]

    def end(self) -> bool:
        """Send what waits, for at most a second; return whether that was enough."""
        if spans.active.tracer is self:
            spans.active.tracer = None
        thread = threading.Thread(target=self._provider.shutdown, daemon=True, name="last-spans")
        thread.start()
        thread.join(_END_SECONDS)
        if late := thread.is_alive():
            self._sender.shutdown()  # type: ignore[no-untyped-call]  # which ends its attempts
        return not late

    def begin_trace(self, name: str, kind: spans.Kind, caller: str = "") -> "_OpenSpan | None":
        """Begin the first span, if it is sampled: by the ratio, unless callers are followed and there is one."""
        parent = _context_of(caller)
        sampled = random.random() < self._ratio  # noqa: S311 no secret
        if not (parent.trace_flags.sampled if parent and self._follows else sampled):
            return None
        if parent:
            parent = SpanContext(parent.trace_id, parent.span_id, True, TraceFlags(TraceFlags.SAMPLED))
        return self._open(name, _KINDS[kind], _within(parent) if parent else _NONE)

    def begin(self, name: str, kind: spans.Kind, parent: str) -> "_OpenSpan | None":
        """Begin a span below `parent`, else below the open one; None when there is neither, or it is not sampled."""
        if found := _context_of(parent):
            return self._open(name, _KINDS[kind], _within(found)) if found.trace_flags.sampled else None
        if trace.get_current_span().get_span_context().is_valid:
            return self._open(name, _KINDS[kind], None)
        return None

    def _open(self, name: str, kind: SpanKind, within: context.Context | None) -> "_OpenSpan":
        return _OpenSpan(self._tracer.start_span(name, within, kind))

    def records(self) -> bool:
        """Return whether a span is open."""
        return _records.get()

    def trip(self, name: str, seconds: float, fields: Mapping[str, Any], *, failed: bool) -> None:
        """Add a span of kind client that ends now, below the open one."""
        ended = time.time_ns()
        made = self._tracer.start_span(name, None, SpanKind.CLIENT, fields, start_time=ended - int(seconds * 1e9))
        if failed:
            made.set_status(StatusCode.ERROR)
        made.end(ended)

    def note(self, name: str, fields: Mapping[str, Any]) -> None:
        """Note in the open span, if any, that something happened now."""
        if (found := trace.get_current_span()).is_recording():
            found.add_event(name, {key.replace("__", "."): value for key, value in fields.items()})

    def current(self) -> str:
        """Return the context of the open span; "" when there is none."""
        found = trace.get_current_span().get_span_context()
        return _text_of(found) if found.is_valid else ""


class _OpenSpan:
    """A span in the context of this thread; see `spans.OpenSpan`."""

    __slots__ = ("_before", "_made", "_token")

    def __init__(self, made: Span) -> None:
        self._made = made
        self._token: Token[context.Context] = context.attach(trace.set_span_in_context(made))
        self._before = _records.get()
        _records.set(True)

    @property
    def traceparent(self) -> str:
        return _text_of(self._made.get_span_context())

    def set(self, **fields: Any) -> None:
        """Set fields, whose names have `__` for a dot; None is left out."""
        for name, value in fields.items():
            if value is not None:
                self._made.set_attribute(name.replace("__", "."), value)

    def end(self, error: str = "", *, failed: bool = False) -> None:
        """End it, with the type of an error if there was one; `failed` when it is a fault."""
        if error:
            self._made.set_attribute("error.type", error)
        if failed:
            self._made.set_status(Status(StatusCode.ERROR))
        self._made.end()
        context.detach(self._token)
        _records.set(self._before)


class _Waiting(BatchSpanProcessor):
    """The bounded queue of ended spans, which counts them."""

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter, _MAX_WAITING, _DELAY_MS, _MAX_BATCH)

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span, and let it wait; the oldest is lost when too many do."""
        if span.context and span.context.trace_flags.sampled:
            labelled(SPANS, "ended").inc()
        super().on_end(span)


class _Sender(OTLPSpanExporter):
    """Sends spans, counts them, and logs when the receiver goes and comes back."""

    away = False
    is_given_up: Callable[[], bool] = staticmethod(lambda: False)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; those that cannot be sent are lost."""
        result = SpanExportResult.FAILURE if self.is_given_up() else super().export(spans)
        sent = result is SpanExportResult.SUCCESS
        SPANS.labels("sent" if sent else "failed").inc(len(spans))
        if sent == self.away:
            self.away = not sent
            (log.info if sent else log.warning)("traces are received again" if sent else "traces are not received")
        return result


def _sender(settings: Settings, is_given_up: Callable[[], bool]) -> _Sender:
    headers = parse_headers(settings.traces_headers.get_secret_value())
    made = _Sender(settings.traces_url, headers=headers, timeout=_SEND_SECONDS)
    made.is_given_up = is_given_up
    return made


def _context_of(traceparent: str) -> SpanContext | None:
    match = _PARENT.fullmatch(traceparent)
    if not match:
        return None
    found = SpanContext(int(match[1], 16), int(match[2], 16), True, TraceFlags(int(match[3], 16) & TraceFlags.SAMPLED))
    return found if found.is_valid else None


def _text_of(found: SpanContext) -> str:
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"


def _within(parent: SpanContext) -> context.Context:
    return trace.set_span_in_context(NonRecordingSpan(parent), _NONE)
