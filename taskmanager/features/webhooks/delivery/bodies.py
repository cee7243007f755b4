"""What webhooks are sent of an event: stored once, however many webhooks are told of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.features.webhooks.models import Body


def keep(event_id: ObjectId, text: str) -> None:
    """Store the body of an event, unless there is one: it is the same at each attempt."""
    kept = {"$setOnInsert": {"text": text}, "$max": {"expires_at": _end()}}
    Body._get_collection().update_one({"_id": event_id}, kept, upsert=True)


def prolong(event_id: ObjectId) -> None:
    """Keep the body of an event for as long as one of its deliveries that is sent once more."""
    Body._get_collection().update_one({"_id": event_id}, {"$max": {"expires_at": _end()}})


def refresh(event_id: ObjectId, text: str) -> None:
    """Store what is left to say of an event in place of its body, if it has one."""
    Body._get_collection().update_one({"_id": event_id}, {"$set": {"text": text}})


def of_events(event_ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Return which of some events have a body."""
    return set(Body.objects(id__in=list(event_ids)).scalar("id"))


def find(event_id: ObjectId) -> str | None:
    """Return the body of an event; None when it is kept no longer."""
    body = Body.objects(id=event_id).first()
    return body and body.text


def _end() -> datetime:
    """Return until when deliveries of today may be listed: they are tried, and kept when they are settled."""
    chosen = settings.current()
    days = max(chosen.delivery_days, chosen.dead_delivery_days)
    return now() + timedelta(days=days, hours=chosen.delivery_hours)
