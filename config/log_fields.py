"""The fields of log lines: names of the Elastic Common Schema (ECS 8.11), and the sentences of RQ as fields."""

import logging
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog

from taskmanager import __version__
from taskmanager.core.events.log import correlation
from taskmanager.core.telemetry import spans

ECS_VERSION = "8.11.0"
# Our names and those of the schema. Other fields keep their names, which the schema allows for those it does not have.
NAMES = {
    "timestamp": "@timestamp",
    "level": "log.level",
    "logger": "log.logger",
    "event": "message",
    "exception": "error.stack_trace",
    "error": "error.type",
    "process": "process.name",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "bytes": "http.response.body.bytes",
    "request_bytes": "http.request.body.bytes",
    "user_id": "user.id",
    "address": "client.ip",
    "kind": "event.action",
}
# Names of objects in the schema, which a text of ours may not have.
_OBJECTS = frozenset(
    ("agent", "client", "cloud", "container", "data_stream", "destination", "device", "dns", "email", "event", "file",
     "group", "host", "http", "log", "network", "observer", "organization", "package", "related", "rule", "server",
     "service", "source", "span", "threat", "tls", "trace", "transaction", "url", "user")
)  # fmt: skip
# The values of keys that contain one of these words are never logged.
_SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie")
HIDDEN = "[hidden]"
CONSTANTS = {"ecs.version": ECS_VERSION, "service.name": "taskmanager", "service.version": __version__}
_PER_MS = 1_000_000
_HEX_DIGITS = 32


def correlate(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the request that this is logged for, also within a job that it has caused."""
    for name, value in correlation.get().items():
        event.setdefault(name, value)
    return event


def to_ecs(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the fields with the names of the schema."""
    found: dict[str, Any] = {**CONSTANTS, **of_trace(event)}
    for name, value in event.items():
        if value is not None:
            found[ecs_name(name)] = value
    return found


def of_trace(event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the fields about the trace, and take `traceparent` away.

    `trace.id` is that of the caller's trace, else of the request.
    """
    found: dict[str, Any] = {}
    _, trace, span, flags = event.pop("traceparent", "").split("-") if "traceparent" in event else ("",) * 4
    if len(trace := trace or str(event.get("request_id", ""))) == _HEX_DIGITS:
        found["trace.id"] = trace
    if flags == "01" and spans.active.tracer:  # else it is that of the caller
        found["span.id"] = span
    if "duration_ms" in event:
        found["event.duration"] = int(event["duration_ms"] * _PER_MS)
    return found


def ecs_name(name: str) -> str:
    """Return the name of a field in the schema, or one that the schema leaves to us."""
    return NAMES.get(name) or (f"labels.{name}" if name in _OBJECTS else name)


@lru_cache(maxsize=1_000)
def is_secret(name: str) -> bool:
    """Return whether values of a field of this name are never logged."""
    return any(word in name.lower() for word in _SECRET_WORDS)


# Sentences of RQ's workers: what it logs, what we log, and the names of its values. None: every few seconds, or said
# better by our own line about a job.
_SENTENCES: dict[str, tuple[str, tuple[str, ...]] | None] = {
    "Worker %s: cleaning registries for queue: %s": None,
    "Worker %s: cleaning group registries": None,
    "Worker %s: %s: %s": None,
    "Worker %s: %s: %s (%s)": None,
    "Worker %s: job %s result is kept for %s seconds": None,
    "Worker %s: job %s result discarded immediately": None,
    "Successfully completed %s job in %ss on worker %s": None,
    "*** Listening on %s...": None,
    "Worker %s: started with PID %d, version %s": ("worker started", ("worker", "pid", "rq_version")),
    "Worker %s: subscribing to channel %s": ("worker subscribed", ("worker", "channel")),
    "Worker %s: unsubscribing from channel %s": ("worker unsubscribed", ("worker", "channel")),
    "Worker %s [PID %d]: warm shut down requested": ("worker stops after its job", ("worker", "pid")),
    "Worker %s: stopping on request": ("worker stops", ("worker",)),
    "Worker %s: job %s failed (%s)": ("job failed", ("worker", "job", "reason")),
    "Worker %s: pubsub thread exiting on %s": ("worker listens to no commands", ("worker", "reason")),
}
RQ_FIELDS = ("worker", "pid", "rq_version", "channel", "job", "reason")


class RqSentences(logging.Filter):
    """Turns sentences of RQ into fields, and drops those that say nothing, unless its level is DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        known = _SENTENCES.get(str(record.msg), ("", ()))
        if known is None:
            return logging.getLogger(record.name).getEffectiveLevel() <= logging.DEBUG
        message, names = known
        if message and isinstance(record.args, tuple):
            record.__dict__.update(zip(names, record.args, strict=False))
            record.msg, record.args = message, ()
        return True


rq_fields = structlog.stdlib.ExtraAdder(RQ_FIELDS)
