"""Which events the bodies of webhooks need, and how bodies follow events that are erased."""

from collections.abc import Iterable

from bson import ObjectId

from taskmanager.core.events import erasure
from taskmanager.core.events.log import Event
from taskmanager.features.webhooks.delivery import bodies, payloads


def needed(event_ids: list[ObjectId]) -> set[ObjectId]:
    """Return the ids of the events that have a body, which may be sent or replayed."""
    return bodies.of_events(event_ids)


def refresh_bodies(events: Iterable[Event]) -> None:
    """Write the bodies of events anew, without data that was erased. Safe to repeat."""
    by_id = {event.id: event for event in events}
    for event_id in bodies.of_events(by_id):
        bodies.refresh(event_id, payloads.build(by_id[event_id]))


def refresh_if_erased(event: Event) -> None:
    """Write the body of an event anew if the event was erased since the job read it."""
    if erasure.is_erased(event.id):
        refresh_bodies([erasure.strip(event)])


def refresh_comment(task_id: ObjectId, comment_id: ObjectId) -> None:
    """Delete the text of a deleted comment from bodies, and the responses to them. Safe to repeat."""
    erasure.refresh_copies(list(Event.objects(subject_id=task_id, data__comment_id=comment_id)))
