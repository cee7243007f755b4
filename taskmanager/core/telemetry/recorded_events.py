"""What operators see of the events that were committed: a count of each kind, and a note in the trace."""

from collections.abc import Iterable, Mapping
from typing import Any

from taskmanager.core.telemetry import spans
from taskmanager.core.telemetry.instruments import EVENTS


def count(events: Iterable[Mapping[str, Any]]) -> None:
    """Count the events of a unit of work after its commit."""
    for event in events:
        EVENTS.labels(event["kind"]).inc()
        spans.note("event recorded", event__action=event["kind"], event__id=str(event["_id"]))
