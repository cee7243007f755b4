"""From events to notices: who is told what. One function for each kind of event writes its notices.

A notice is written anew at each attempt to send it, from what is true then: who has lost access, or whose token was
used meanwhile, is not told any more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.features.notifications.kinds import ALWAYS, CONSEQUENCES, UNCHOSEN


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
    direct: bool = True  # it is about the person, not only about something that they follow
    involved: bool = True  # they have to do with the task
    budget: str = "account"  # which budget of mails to an address one of kind ALWAYS is counted in: see `mail_budget`
    mailed: bool = False  # another notice of the event is the mail about it


Writer = Callable[..., Iterable[Notice]]
_writers: dict[str, tuple[Writer, bool]] = {}


def writes(*kinds: str, to_members: bool = False) -> Callable[[Writer], Writer]:
    """Register the decorated function as the one that writes the notices of events of these kinds.

    It takes the event. One that writes `to_members` tells only members of the event's project, and not the one
    who did it; it takes also `only`, the id of the one recipient that is asked for, or None for all.
    """

    def register(function: Writer) -> Writer:
        for kind in kinds:
            _writers[kind] = function, to_members
        return function

    return register


def tells_members(kind: str) -> bool:
    """Whether events of this kind are told only to members of their project, without the one who did it."""
    return kind in _writers and _writers[kind][1]


def told() -> list[str]:
    """The kinds of events that a user may be told of."""
    return sorted(_writers)


def of(event: Event, only: ObjectId | None = None) -> list[Notice]:
    """The notices of an event, one for a person; who did it is told of nothing but their account and what the
    service did because of it.

    `only` is the one recipient that is asked for.
    """
    if event.kind not in _writers:
        return []
    writer, to_members = _writers[event.kind]
    found = writer(event, only=only) if to_members else writer(event)
    return [notice for notice in found if _is_news(notice, event) and only in (None, notice.recipient_id)]


def _is_news(notice: Notice, event: Event) -> bool:
    return notice.recipient_id != event.actor_id or notice.kind in UNCHOSEN or notice.kind in CONSEQUENCES


def url(path: str) -> str:
    """The address of something in the API."""
    return f"{settings.current().base_url}/api/v1{path}"
