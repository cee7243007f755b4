"""From events to notices: who is told what. One function for each kind of event writes its notices.

A notice is written anew at each attempt to send it, from what is true then: who has lost access, or whose token was
used meanwhile, is not told any more.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bson import ObjectId

from taskmanager.core import settings
from taskmanager.core.events import Event
from taskmanager.features.notifications.kinds import ALWAYS, UNCHOSEN
from taskmanager.features.users import service as users


@dataclass(frozen=True)
class Notice:
    """One event in words for one person. `to` has `name` (may be empty) and `email` (None: no mail can be sent)."""

    recipient_id: ObjectId
    to: dict[str, str]
    subject: str
    text: str
    kind: str = ALWAYS
    project_id: ObjectId | None = None
    task_id: ObjectId | None = None
    actor_id: ObjectId | None = None
    direct: bool = True  # it is about the person, not only about something that he follows
    involved: bool = True  # he has to do with the task


Writer = Callable[[Event], Iterable[Notice]]
_writers: dict[str, Writer] = {}


def writes(*kinds: str) -> Callable[[Writer], Writer]:
    """Register the decorated function as the one that writes the notices of events of these kinds."""

    def register(function: Writer) -> Writer:
        for kind in kinds:
            _writers[kind] = function
        return function

    return register


def told() -> list[str]:
    """The kinds of events that somebody may be told of."""
    return sorted(_writers)


def of(event: Event) -> list[Notice]:
    """The notices of an event, one for a person; the one who did it is told of nothing but his account."""
    found = _writers[event.kind](event) if event.kind in _writers else ()
    return [notice for notice in found if notice.kind in UNCHOSEN or notice.recipient_id != event.actor_id]


def of_all(events: Iterable[Event], recipient_id: ObjectId) -> list[Notice]:
    """What these events tell one recipient now; a disabled account only what is about the account itself."""
    found = [notice for event in events for notice in of(event) if notice.recipient_id == recipient_id]
    if any(notice.kind not in UNCHOSEN for notice in found) and not users.who_may_act([recipient_id]):
        return [notice for notice in found if notice.kind in UNCHOSEN]
    return found


def one_line(text: str) -> str:
    """`text` without line breaks and control characters: what people type must not become a header or a paragraph."""
    return re.sub(r"[\s\x00-\x1f\x7f\u2028\u2029]+", " ", text).strip()


def url(path: str) -> str:
    """The address of something in the API."""
    return f"{settings.current().base_url}/api/v1{path}"
