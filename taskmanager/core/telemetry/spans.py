"""Spans of traces: what a request, and the jobs that it causes, did when. Without a tracer nothing is made of them.

A trace begins with a request, or goes on with the context of the caller; it is carried on as `traceparent` (W3C Trace
Context) in the event, in the job and in the delivery. A periodic job and a message of the live stream begin traces of
their own. What has no such context, as the rounds of the relay, has no spans.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from taskmanager.core.errors import TaskManagerError

TRACEPARENT = "traceparent"
Kind = Literal["internal", "server", "client", "producer", "consumer"]


class OpenSpan(Protocol):
    """A span that has not ended, which is the parent of those that begin before its end."""

    @property
    def traceparent(self) -> str:
        """Return its context, for what it causes elsewhere."""

    def set(self, **fields: Any) -> None:
        """Set fields, whose names have `__` for a dot; None is left out."""

    def end(self, error: str = "", *, failed: bool = False) -> None:
        """End it, with the type of an error if there was one; `failed` when it is a fault."""


class Tracer(Protocol):
    """Makes spans, and sends them."""

    def begin_trace(self, name: str, kind: Kind, caller: str = "") -> OpenSpan | None:
        """Begin the first span of ours, which goes on with the trace of the caller, if any; None if not sampled."""

    def begin(self, name: str, kind: Kind, parent: str) -> OpenSpan | None:
        """Begin a span below `parent`, else below the open one; None when there is neither, or it is not sampled."""

    def records(self) -> bool:
        """Return whether a span is open, so that `trip` is of use."""

    def trip(self, name: str, seconds: float, fields: Mapping[str, Any], *, failed: bool) -> None:
        """Add a span of kind client that ends now, below the open one."""

    def note(self, name: str, fields: Mapping[str, Any]) -> None:
        """Note in the open span, if any, that something happened now."""

    def current(self) -> str:
        """Return the context of the open span; "" when there is none."""

    def end_of_job(self) -> None:
        """Send what waits, if this process was forked for the job that has ended."""


class _Active:
    """The tracer of this process; None while traces are off."""

    tracer: Tracer | None = None


active = _Active()


@contextmanager
def span(name: str, kind: Kind = "internal", parent: str = "", **fields: Any) -> Iterator[OpenSpan | None]:
    """Hold a span open within this block; None when traces are off, or when there is nothing that it belongs to."""
    tracer = active.tracer
    with _held(tracer.begin(name, kind, parent) if tracer else None, fields) as opened:
        yield opened


@contextmanager
def first_span(name: str, kind: Kind = "internal", caller: str = "", **fields: Any) -> Iterator[OpenSpan | None]:
    """Hold the first span of a trace open within this block; None when traces are off, or when it is not sampled."""
    tracer = active.tracer
    with _held(tracer.begin_trace(name, kind, caller) if tracer else None, fields) as opened:
        yield opened


@contextmanager
def _held(opened: OpenSpan | None, fields: Mapping[str, Any]) -> Iterator[OpenSpan | None]:
    if opened is None:
        yield None
        return
    opened.set(**fields)
    try:
        yield opened
    except BaseException as error:
        opened.end(type(error).__name__, failed=not isinstance(error, TaskManagerError))
        raise
    opened.end()


def note(name: str, **fields: Any) -> None:
    """Note in the open span, if any, that something happened now; names of fields have `__` for a dot."""
    if active.tracer:
        active.tracer.note(name, fields)


def current() -> str:
    """Return the context of the open span, as `traceparent`; "" when there is none."""
    return active.tracer.current() if active.tracer else ""


def end_of_job() -> None:
    """Send the spans of a job, if this process was forked for it and is about to end."""
    if active.tracer:
        active.tracer.end_of_job()


def unsampled(correlation: dict[str, str]) -> dict[str, str]:
    """Return the correlation of what a request without a span causes: with the trace of the caller, as not sampled."""
    caller = correlation.get(TRACEPARENT)
    return correlation | {TRACEPARENT: f"{caller[:-2]}00"} if caller else correlation


def carried_on() -> dict[str, str]:
    """Return the fields of a document that is part of what the open span causes: none without a span."""
    found = current()
    return {TRACEPARENT: found} if found else {}


def carried(opened: OpenSpan | None, correlation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the correlation of what this span causes: with the span as the parent."""
    return {**correlation, TRACEPARENT: opened.traceparent} if opened else dict(correlation)
