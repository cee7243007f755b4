"""In-app notifications: the list that users read within the service."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events import erasure
from taskmanager.core.events.log import record
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.notifications.channels.base import Message
from taskmanager.features.notifications.content.quoting import as_written
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.events import NotificationsChanged
from taskmanager.features.notifications.models import Notification

_MAX_TITLE_CHARACTERS = 300
_BATCH = 50


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
                _store(
                    Notification(
                        user_id=notice.recipient_id,
                        event_id=message.delivery.event_id,
                        **_fields(notice),
                        project_id=notice.project_id,
                        task_id=notice.task_id,
                        actor_id=notice.actor_id,
                        expires_at=expires_at,
                    )
                )
        if erasure.is_erased(message.delivery.event_id):  # while this ran
            delete_all(event_id=message.delivery.event_id)


@unit_of_work
def _store(notification: Notification) -> None:
    notification.save(force_insert=True)
    record(NotificationsChanged(notification.user_id, [notification.id]))


def refresh(stored: Notification, notice: Notice | None) -> None:
    """Update a notification by its notice, or delete it when there is none. `read_at` stays as it is."""
    if notice is None:
        delete_all(id=stored.id)
    elif stored.differences(fields := _fields(notice)):
        _update(stored, {f"set__{field}": value for field, value in fields.items()})


@unit_of_work
def _update(stored: Notification, changes: dict[str, str]) -> None:
    Notification.objects(id=stored.id).update_one(inc__revision=1, set__updated_at=now(), **changes)
    record(NotificationsChanged(stored.user_id, [stored.id]))


def delete_all(**about: Any) -> None:
    """Delete the notifications that match, a few in each transaction. Safe to repeat."""
    while _delete_some(about) == _BATCH:
        pass


@unit_of_work
def _delete_some(about: dict[str, Any]) -> int:
    found = list(Notification.objects(**about).only("id", "user_id").limit(_BATCH))
    Notification.objects(id__in=[one.id for one in found]).delete()
    for one in found:
        record(NotificationsChanged(one.user_id, [one.id]))
    return len(found)


def _fields(notice: Notice) -> dict[str, str]:
    return {"kind": notice.kind, "title": notice.subject[:_MAX_TITLE_CHARACTERS], "text": as_written(notice.text)}
