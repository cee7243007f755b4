"""Which events deliveries and notifications need, and what is deleted of them when events or tasks are erased."""

from collections.abc import Iterable

from bson import ObjectId

from taskmanager.core.events.log import Event
from taskmanager.features.notifications.channels import in_app as in_app_channel
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.models import Delivery, Notification


def needed(event_ids: list[ObjectId]) -> set[ObjectId]:
    """Return the ids of the events that have deliveries (to be sent or replayed) or in-app notifications."""
    of_events = {"event_id": {"$in": event_ids}}
    rows = (row for model in (Delivery, Notification) for row in model.objects(__raw__=of_events).as_pymongo())
    return {row["event_id"] for row in rows}


def refresh_notices(events: Iterable[Event]) -> None:
    """Delete notifications of erased events, and bodies, responses and errors of their deliveries. Safe to repeat."""
    events = list(events)
    of_events = {"event_id": {"$in": [event.id for event in events]}}
    in_app_channel.delete_all(event_id__in=[event.id for event in events if event.forgotten])
    Delivery._get_collection().update_many(of_events, {"$set": {"log": []}, "$unset": {"body": 1, "last_error": 1}})


def erase_task(task_id: ObjectId) -> None:
    """Delete the notifications about a purged task. Safe to repeat."""
    in_app_channel.delete_all(task_id=task_id)


def erase_name(user_id: ObjectId) -> None:
    """Remove the name of a deleted user from the notifications of others. Safe to repeat."""
    for stored in Notification.objects(actor_id=user_id):
        event = Event.objects(id=stored.event_id).first()
        current = notices.write_notices(event, stored.user_id) if event else []
        in_app_channel.refresh(stored, next((notice for notice in current if notice.kind == stored.kind), None))
