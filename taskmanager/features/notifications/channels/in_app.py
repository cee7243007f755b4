"""In-app notifications: the list that users read within the service."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events import erasure
from taskmanager.features.notifications.channels.base import Message
from taskmanager.features.notifications.content.quoting import as_written
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.models import Notification

_MAX_TITLE_CHARACTERS = 300


class InAppChannel:
    """Stores notices as in-app notifications; see `Channel`."""

    name, queue, grouped, seconds, threads = "in_app", "high", False, 5.0, 0

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return all ids: every user can be reached."""
        return set(user_ids)

    def send(self, message: Message) -> None:
        """Store a notification for each notice, once."""
        expires_at = now() + timedelta(days=settings.current().notification_days)
        for notice in message.notices:
            with suppress(NotUniqueError):
                Notification(
                    user_id=notice.recipient_id,
                    event_id=message.delivery.event_id,
                    **_fields(notice),
                    project_id=notice.project_id,
                    task_id=notice.task_id,
                    actor_id=notice.actor_id,
                    expires_at=expires_at,
                ).save(force_insert=True)
        if erasure.is_erased(message.delivery.event_id):  # while this ran
            Notification.objects(event_id=message.delivery.event_id).delete()


def refresh(stored: Notification, notice: Notice | None) -> None:
    """Update a notification by its notice, or delete it when there is none. `read_at` stays as it is."""
    if notice is None:
        stored.delete()
    elif stored.differences(fields := _fields(notice)):
        changes = {f"set__{field}": value for field, value in fields.items()}
        Notification.objects(id=stored.id).update_one(inc__revision=1, set__updated_at=now(), **changes)


def _fields(notice: Notice) -> dict[str, str]:
    return {"kind": notice.kind, "title": notice.subject[:_MAX_TITLE_CHARACTERS], "text": as_written(notice.text)}
