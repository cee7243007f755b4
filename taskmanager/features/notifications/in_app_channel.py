"""The list of what happened that people read within the service."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import settings
from taskmanager.core.clock import now
from taskmanager.features.notifications.channels import Message
from taskmanager.features.notifications.models import Notification


class InAppChannel:
    """See `Channel`."""

    name, queue, bundled, seconds, lanes = "in_app", "high", False, 5.0, 0

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Everybody."""
        return set(user_ids)

    def send(self, message: Message) -> None:
        """Put it on the person's list, once."""
        expires_at = now() + timedelta(days=settings.current().notification_days)
        for notice in message.notices:
            with suppress(NotUniqueError):
                Notification(
                    user_id=notice.recipient_id,
                    event_id=message.delivery.event_id,
                    kind=notice.kind,
                    title=notice.subject[:300],
                    text=notice.text,
                    project_id=notice.project_id,
                    task_id=notice.task_id,
                    actor_id=notice.actor_id,
                    expires_at=expires_at,
                ).save(force_insert=True)
