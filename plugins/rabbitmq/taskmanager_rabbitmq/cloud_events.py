"""Events of the log as CloudEvents 1.0 (JSON, structured mode)."""

from typing import Any

from taskmanager.core.clock import iso
from taskmanager.core.events.log import Event, plain

CONTENT_TYPE = "application/cloudevents+json"


def cloud_event(event: Event, source: str) -> dict[str, Any]:
    """Return an event of the log as a CloudEvent.

    `partitionkey` is its stream, within which the order is kept; `sequence` is its position in the one order of all
    events. Addresses and ids of requests are left out.
    """
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": source,
        "type": event.kind,
        "time": iso(event.at),
        "datacontenttype": "application/json",
        "partitionkey": event.stream,
        "sequence": str(event.position),
        **({"subject": str(event.subject_id)} if event.subject_id else {}),
        **({"actorid": str(event.actor_id)} if event.actor_id else {}),
        "data": {name: plain(value) for name, value in event.data.items()},
    }
