"""Text messages and chat through Apprise, by a URL that the operator chose (https://github.com/caronc/apprise).

Users never supply such URLs, because many of them reach into the network of the service. The number or address of the
recipient is put into the operator's URL, escaped.
"""

from collections.abc import Iterable
from urllib.parse import quote

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.http.deadline import within
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext
from taskmanager.features.notifications.channels.base import Cancelled, Message
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.kinds import CODE
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.notifications.phones import service as phones
from taskmanager.features.users import service as users

_MAX_TEXT_CHARACTERS = 300
_MAX_CHAT_CHARACTERS = 3000
_SECONDS, _THREADS = 15.0, 4


class NotTaken(Exception):
    """The provider did not accept the message. Apprise does not report the reason."""


class SmsChannel:
    """Text messages to verified numbers, with a cap for each user and month."""

    name, queue, grouped, seconds, threads = "sms", "default", True, _SECONDS, _THREADS

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return the ids of the users with a verified number; none without a provider in the settings."""
        return set(phones.verified(user_ids)) if settings.current().sms_url else set()

    def send(self, message: Message) -> None:
        """Send the message. Raises Cancelled without a number or when the cap of the month is reached, NotTaken."""
        user_id = message.delivery.recipient_id
        is_code = message.notices[-1].kind == CODE
        number = phones.to_be_verified(user_id) if is_code else phones.verified([user_id]).get(user_id)
        if not number or not settings.current().sms_url:
            raise Cancelled("The user has no verified number, or no provider is configured.")
        _count(message.delivery)
        _notify(settings.current().sms_url, {"to": number}, _short(message))


def _count(delivery: Delivery) -> None:
    """Count the message once for all its attempts. Raises Cancelled when the cap of the month is reached."""
    if delivery.counted:
        return
    if not phones.count(delivery.recipient_id):
        raise Cancelled("The user has reached the cap of text messages for this month.")
    Delivery.objects(id=delivery.id).update_one(set__counted=True)


class ChatChannel:
    """Messages to a user in the operator's chat."""

    name, queue, grouped, seconds, threads = "chat", "default", True, _SECONDS, _THREADS

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return the ids of the users with a verified address; none without a chat in the settings."""
        return users.confirmed_ids(user_ids) if settings.current().chat_url else set()

    def send(self, message: Message) -> None:
        """Send the message. Raises Cancelled without an address, NotTaken."""
        profile = users.public_profiles([message.delivery.recipient_id]).get(message.delivery.recipient_id)
        if not settings.current().chat_url or not profile or not profile["email"]:
            raise Cancelled("The user has no address, or no chat is configured.")
        names = {"email": profile["email"], "user": profile["email"].split("@")[0]}
        text = "\n\n".join(notice.text.rstrip() for notice in message.notices)
        _notify(settings.current().chat_url, names, text[:_MAX_CHAT_CHARACTERS])


def _short(message: Message) -> str:
    """Return the subject of the newest notice, how many others there are, and the link of the notice."""
    newest = message.notices[-1]
    others = len(message.notices) - 1 + message.earlier
    with languages.using(newest.language):
        more = " " + gettext("(and %(number)s more)", number=others) if others else ""
    link = newest.call.rpartition("\n")[2] if newest.task_id else ""
    return "\n".join(filter(None, [inline(newest.subject)[:_MAX_TEXT_CHARACTERS] + more, link]))


def _notify(template: str, names: dict[str, str], text: str) -> None:
    """Put `names` into the URL `template`, and hand the text to the provider. Raises NotTaken, TimeoutError."""
    import apprise  # slow to import, and only workers need it

    address = template
    for name, value in names.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    sender = apprise.Apprise()
    if not sender.add(address):
        raise NotTaken("Apprise does not support this URL.")
    # Apprise bounds each wait for the provider, not the whole call
    if not within(_SECONDS, lambda: sender.notify(body=text, body_format=apprise.NotifyFormat.TEXT)):
        raise NotTaken("The provider did not accept the message.")
