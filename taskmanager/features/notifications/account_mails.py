"""Mails about accounts and invitations: one function for each kind of event, which says who gets what text.

A function answers None when there is nothing to tell any more, for instance because the token was used.
"""

from collections.abc import Callable
from typing import NamedTuple

from bson import ObjectId

from taskmanager.core.events import Event
from taskmanager.features.notifications import service as notifications


class Letter(NamedTuple):
    """A mail to be written. `to` has `name` (may be empty) and `email`."""

    recipient_id: ObjectId
    to: dict[str, str]
    subject: str
    text: str


Writer = Callable[[Event], Letter | None]
WRITERS: dict[str, Writer] = {}


def writes(kind: str) -> Callable[[Writer], Writer]:
    """Register the decorated function as the one that writes the mail of events of this kind."""

    def register(function: Writer) -> Writer:
        WRITERS[kind] = function
        return function

    return register


def send(event: Event) -> None:
    """Mail what the event is about. Raises NotYetDelivered; safe to repeat."""
    letter = WRITERS[event.kind](event)
    if letter is not None:
        notifications.mail(event, letter.recipient_id, letter.to, letter.subject, letter.text)
