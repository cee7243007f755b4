"""Text messages and chat through Apprise, by a URL that the operator chose (https://github.com/caronc/apprise).

People never give such URLs: many of them reach into the network that the service runs in. What they are known by is
put into the operator's one, escaped.
"""

from collections.abc import Iterable
from urllib.parse import quote

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.http.deadline import within
from taskmanager.features.notifications.channels.base import Cancelled, Message
from taskmanager.features.notifications.content.quoting import words
from taskmanager.features.notifications.content.registry import url
from taskmanager.features.notifications.kinds import CODE
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.notifications.phones import service as phones
from taskmanager.features.users import service as users

_MAX_TEXT_CHARACTERS = 300
_MAX_CHAT_CHARACTERS = 3000
_SECONDS, _THREADS = 15.0, 4


class NotTaken(Exception):
    """The provider did not take it; Apprise does not tell why."""


class SmsChannel:
    """Text messages, to numbers that were shown to be people's own, and so many a month."""

    name, queue, bundled, seconds, threads = "sms", "default", True, _SECONDS, _THREADS

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return who has such a number, where the operator has chosen a provider."""
        return set(phones.verified(user_ids)) if settings.current().sms_url else set()

    def send(self, message: Message) -> None:
        """Send it. Raises Cancelled when there is no number or the month is used up, NotTaken."""
        user_id = message.delivery.recipient_id
        code = message.notices[-1].kind == CODE
        number = phones.to_be_verified(user_id) if code else phones.verified([user_id]).get(user_id)
        if not number or not settings.current().sms_url:
            raise Cancelled("There is no number that it could be sent to.")
        _count(message.delivery)
        _notify(settings.current().sms_url, {"to": number}, _short(message))


def _count(delivery: Delivery) -> None:
    """Count it, once however often it is tried. Raises Cancelled when the month is used up."""
    if delivery.counted:
        return
    if not phones.count(delivery.recipient_id):
        raise Cancelled("No more text messages are sent to this person this month.")
    Delivery.objects(id=delivery.id).update_one(set__counted=True)


class ChatChannel:
    """Messages to a person in the operator's chat."""

    name, queue, bundled, seconds, threads = "chat", "default", True, _SECONDS, _THREADS

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return who has proved the address that the chat knows them by, where the operator has a chat."""
        return users.proved_ids(user_ids) if settings.current().chat_url else set()

    def send(self, message: Message) -> None:
        """Send it. Raises Cancelled, NotTaken."""
        card = users.public_profiles([message.delivery.recipient_id]).get(message.delivery.recipient_id)
        if not settings.current().chat_url or not card or not card["email"]:
            raise Cancelled("There is no address that it could be sent to.")
        names = {"email": card["email"], "user": card["email"].split("@")[0]}
        text = "\n\n".join(notice.text.rstrip() for notice in message.notices)
        _notify(settings.current().chat_url, names, text[:_MAX_CHAT_CHARACTERS])


def _short(message: Message) -> str:
    newest = message.notices[-1]
    others = len(message.notices) - 1 + message.earlier
    more = f" (and {others} more)" if others else ""
    link = f"\n{url(f'/tasks/{newest.task_id}')}" if newest.task_id else ""
    return words(newest.subject)[:_MAX_TEXT_CHARACTERS] + more + link


def _notify(template: str, names: dict[str, str], text: str) -> None:
    """Fill in whom it is for, and hand it to the provider. Raises NotTaken, TimeoutError."""
    import apprise  # slow to import, and of use to workers only

    address = template
    for name, value in names.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    sender = apprise.Apprise()
    if not sender.add(address):
        raise NotTaken("This is no URL that Apprise knows.")
    # Apprise bounds each wait for a provider, not the whole
    if not within(_SECONDS, lambda: sender.notify(body=text, body_format=apprise.NotifyFormat.TEXT)):
        raise NotTaken("The provider did not take it.")
