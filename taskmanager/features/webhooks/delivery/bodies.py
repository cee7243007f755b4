"""The bodies of events, stored once for all webhooks that get an event."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.features.webhooks.models import Body


def keep(event_id: ObjectId, text: str) -> None:
    """Store the body of an event unless there is one: it is the same at each attempt."""
    update = {"$setOnInsert": {"text": text}, "$max": {"expires_at": _expiry()}}
    Body._get_collection().update_one({"_id": event_id}, update, upsert=True)


def prolong(event_id: ObjectId) -> None:
    """Keep the body of an event for as long as a delivery of it that is replayed now."""
    Body._get_collection().update_one({"_id": event_id}, {"$max": {"expires_at": _expiry()}})


def refresh(event_id: ObjectId, text: str) -> None:
    """Replace the body of an event, if it has one."""
    Body._get_collection().update_one({"_id": event_id}, {"$set": {"text": text}})


def of_events(event_ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Return the ids of the events that have a body."""
    return set(Body.objects(id__in=list(event_ids)).scalar("id"))


def find(event_id: ObjectId) -> str | None:
    """Return the body of an event; None when it has expired."""
    body = Body.objects(id=event_id).first()
    return body and body.text


def _expiry() -> datetime:
    """Return until when a delivery that starts now may be listed: the retries, then the retention of finished ones."""
    chosen = settings.current()
    days = max(chosen.delivery_days, chosen.dead_delivery_days)
    return now() + timedelta(days=days, hours=chosen.delivery_hours)
