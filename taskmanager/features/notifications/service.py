"""Use cases of notifications."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from functools import partial

import structlog
from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import settings
from taskmanager.core.clock import now
from taskmanager.core.errors import TaskManagerError
from taskmanager.core.events import Event
from taskmanager.features.notifications import mailer, messages
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users

log = structlog.get_logger("taskmanager.notifications")

# A worker that takes so many timeouts of the mailer to send is thought dead, and another may send.
_CLAIM_TIMEOUTS = 3


class NotYetDelivered(TaskManagerError):
    """Somebody has not been told yet; the event is handed out again later."""

    code = "notification.not_delivered"


def tell_assignees(event: Event) -> None:
    """Mail those whom the event assigned to its task, but not the one who did it.

    Raises NotYetDelivered when a mail was not taken or another worker is sending it. Safe to repeat.
    """
    recipients = newly_assigned(event)
    task = recipients and Task.objects(id=event.subject_id).as_pymongo().first()
    if not task:
        return
    cards = users.cards([*recipients, event.actor_id])
    by = cards.get(event.actor_id, {}).get("name", "Somebody")
    told = [
        _tell(event, recipient, partial(messages.assigned, task, to=cards[recipient], by=by))
        for recipient in recipients
        if cards.get(recipient, {}).get("email")
    ]
    if not all(told):
        raise NotYetDelivered


def mail(event: Event, recipient_id: ObjectId, to: dict[str, str], subject: str, text: str) -> None:
    """Mail one person, once for the event. `to` has `name` and `email`. Raises NotYetDelivered; safe to repeat."""
    write = partial(messages.compose, to, subject, text)
    if not _tell(event, recipient_id, lambda event_id: write(message_id=event_id)):
        raise NotYetDelivered


def newly_assigned(event: Event) -> list[ObjectId]:
    """Whom this event added to the assignees, without its actor."""
    before, after = event.data.get("changes", {}).get("assignee_ids", [[], []])
    return [user_id for user_id in after if user_id not in before and user_id != event.actor_id]


def _tell(event: Event, recipient_id: ObjectId, write: Callable[..., EmailMessage]) -> bool:
    """Send one mail unless it was sent; False when it has to be tried again."""
    delivery = _claim(event.id, recipient_id)
    if delivery is None:
        return Delivery.objects(event_id=event.id, recipient_id=recipient_id, state="sent").first() is not None
    try:
        mailer.chosen().send(write(event_id=delivery.id))
    except OSError as error:
        _failed(delivery, error)
        return False
    delivery.modify(set__state="sent", set__sent_at=now(), unset__last_error=True)
    return True


def _claim(event_id: ObjectId, recipient_id: ObjectId) -> Delivery | None:
    """The right to send, for a while; None when it was sent or another worker has the right."""
    seconds = _CLAIM_TIMEOUTS * settings.current().mail_timeout_seconds
    place = {"event_id": event_id, "channel": "email", "recipient_id": recipient_id}
    with suppress(NotUniqueError):  # an earlier attempt made it
        Delivery(**place).save(force_insert=True)
    return Delivery.objects(**place, state="pending", claimed_until__lte=now()).modify(
        new=True, inc__attempts=1, set__claimed_until=now() + timedelta(seconds=seconds)
    )


def _failed(delivery: Delivery, error: OSError) -> None:
    log.warning("mail not taken", delivery_id=str(delivery.id), error=type(error).__name__)
    delivery.modify(set__last_error=f"{type(error).__name__}: {error}"[:500], set__claimed_until=now())
