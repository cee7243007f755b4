"""From events to notices: who is told what. One function for each kind of event writes its notices.

A notice is written anew at each attempt to send it, from what is true then: who has lost access, or whose token was
used meanwhile, is not told any more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.core.registry import Part
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


@dataclass(frozen=True)
class NoticeWriter:
    """A function that writes the notices of events of the kinds `names`. See `writes`."""

    names: tuple[str, ...]
    write: Writer
    to_members: bool


NOTICE_WRITERS: Part[NoticeWriter] = Part("notices")


def writes(*kinds: str, to_members: bool = False) -> Callable[[Writer], NoticeWriter]:
    """Make the decorated function a NoticeWriter, which a Feature contributes, for events of these kinds.

    It takes the event. One that writes `to_members` tells only members of the event's project, and not the one
    who did it; it takes also `only`, the id of the one recipient that is asked for, or None for all.
    """
    return lambda function: NoticeWriter(kinds, function, to_members)


def is_for_members(kind: str) -> bool:
    """Return whether events of this kind are told only to members of their project, without the one who did it."""
    return kind in NOTICE_WRITERS and NOTICE_WRITERS[kind].to_members


def kinds_with_notices() -> list[str]:
    """Return the kinds of events that a user may be told of."""
    return sorted(NOTICE_WRITERS)


def of(event: Event, only: ObjectId | None = None) -> list[Notice]:
    """Return the notices of an event, one for a person; who did it is told of nothing but their account and what the
    service did because of it.

    `only` is the one recipient that is asked for.
    """
    writer = NOTICE_WRITERS.get(event.kind)
    if writer is None:
        return []
    found = writer.write(event, only=only) if writer.to_members else writer.write(event)
    return [notice for notice in found if _is_news(notice, event) and only in (None, notice.recipient_id)]


def _is_news(notice: Notice, event: Event) -> bool:
    return notice.recipient_id != event.actor_id or notice.kind in UNCHOSEN or notice.kind in CONSEQUENCES


def url(path: str) -> str:
    """Return the address of something in the API."""
    return f"{settings.current().base_url}/api/v1{path}"
