"""What is kept of telling people of events: how long it needs them, and what becomes of it when they are forgotten."""

from collections.abc import Iterable

from bson import ObjectId

from taskmanager.core.events.log import Event
from taskmanager.features.notifications.channels import in_app as in_app_channel
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.models import Delivery, Notification


def needed(event_ids: list[ObjectId]) -> set[ObjectId]:
    """Return which of some events are still to be told, may be told again, or are listed in an inbox."""
    told = {"event_id": {"$in": event_ids}}
    return {row["event_id"] for kind in (Delivery, Notification) for row in kind.objects(__raw__=told).as_pymongo()}


def refresh_notices(events: Iterable[Event]) -> None:
    """Drop what people were told of events that are forgotten, and what receivers answered. Safe to repeat."""
    events = list(events)
    told = {"event_id": {"$in": [event.id for event in events]}}
    gone = {"event_id": {"$in": [event.id for event in events if event.forgotten]}}
    Notification._get_collection().delete_many(gone)
    Delivery._get_collection().update_many(told, {"$set": {"log": []}, "$unset": {"body": 1, "last_error": 1}})


def erase_task(task_id: ObjectId) -> None:
    """Drop what people were told of a task that is gone for good. Safe to repeat."""
    Notification.objects(task_id=task_id).delete()


def erase_name(user_id: ObjectId) -> None:
    """Rename a deleted user in the notifications of others. Safe to repeat."""
    for stored in Notification.objects(actor_id=user_id):
        event = Event.objects(id=stored.event_id).first()
        told = notices.of(event, stored.user_id) if event else []
        in_app_channel.refresh(stored, next((notice for notice in told if notice.kind == stored.kind), None))
