"""What a worker runs: exactly one function, which calls a registered listener with a stored event."""

import time

import structlog
from bson import ObjectId

from taskmanager.core.events import Event, correlation, listener
from taskmanager.core.outbox import acknowledge

log = structlog.get_logger("taskmanager.jobs")


def perform(name: str, event_id: str) -> None:
    """Call listener `name` with the event and take it off the event's list; may run twice.

    Raises what the listener raises: the job fails, the event stays pending and the relay hands it out again.
    """
    known, event = listener(name), Event.objects(id=ObjectId(event_id)).first()
    if known is None or event is None or name not in event.pending:
        return
    started = time.perf_counter()
    token = correlation.set(dict(event.correlation))
    try:
        known.handle(event)
    finally:
        correlation.reset(token)
    acknowledge(event.id, name)
    seconds = round(time.perf_counter() - started, 4)
    log.info("job", listener=name, event_id=event_id, kind=event.kind, duration_s=seconds, **event.correlation)
