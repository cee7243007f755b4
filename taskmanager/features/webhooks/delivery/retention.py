"""What is kept of what webhooks are sent: it needs its events, and says what they say once they are forgotten."""

from collections.abc import Iterable

from bson import ObjectId

from taskmanager.core.events import forgetting
from taskmanager.core.events.log import Event
from taskmanager.features.webhooks.delivery import bodies, payloads


def needed(event_ids: list[ObjectId]) -> set[ObjectId]:
    """Return which of some events something was made of that is sent, or may be sent again."""
    return bodies.of_events(event_ids)


def refresh_bodies(events: Iterable[Event]) -> None:
    """Have what is sent of events say what they say now, without what is gone. Safe to repeat."""
    told = {event.id: event for event in events}
    for event_id in bodies.of_events(told):
        bodies.refresh(event_id, payloads.of(told[event_id]))


def refresh_if_erased(event: Event) -> None:
    """Have what a job has just stored say less, if the event was forgotten since the job read it."""
    if forgetting.is_erased(event.id):
        refresh_bodies([forgetting.strip(event)])


def refresh_comment(task_id: ObjectId, comment_id: ObjectId) -> None:
    """Forget the text of a comment that is deleted, and what receivers answered to it. Safe to repeat."""
    forgetting.refresh_copies(list(Event.objects(subject_id=task_id, data__comment_id=comment_id)))
