"""From events to notices: who is notified of what. One function writes the notices of each kind of event.

Notices are written anew at each attempt to send them, from the present state: users who have lost access, or whose
token was used meanwhile, are not notified any more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps

from bson import ObjectId

from taskmanager.core.events.log import Event
from taskmanager.core.localization import languages
from taskmanager.core.registry import Part
from taskmanager.features.notifications.kinds import ALWAYS, CONSEQUENCES, UNCHOSEN
from taskmanager.features.users import service as users


@dataclass(frozen=True)
class Notice:
    """One event in words for one recipient. `to` has `name` (may be empty) and `email` (None: no mail can be sent)."""

    recipient_id: ObjectId
    to: dict[str, str]
    subject: str
    text: str
    kind: str = ALWAYS
    project_id: ObjectId | None = None
    task_id: ObjectId | None = None
    actor_id: ObjectId | None = None
    direct: bool = True  # it is about the recipient, not only about something that they follow
    involved: bool = True  # the recipient is involved in the task
    budget: str = "account"  # in which a mail of kind ALWAYS is counted: see `mail_budget`
    mailed: bool = False  # another notice of the same event is sent as the mail
    call: str = ""  # the paragraph of `text` that has a link, see `call_to_action`
    language: str = field(default_factory=languages.current)  # of the text


Writer = Callable[..., Iterable[Notice]]


@dataclass(frozen=True)
class NoticeWriter:
    """A function that writes the notices of events of the kinds `names`; see `writes`."""

    names: tuple[str, ...]
    write: Writer
    to_members: bool


NOTICE_WRITERS: Part[NoticeWriter] = Part("notices")


def writes(*kinds: str, to_members: bool = False) -> Callable[[Writer], NoticeWriter]:
    """Make the decorated function a NoticeWriter, which a Feature contributes, for events of these kinds.

    The function takes the event. With `to_members` it writes to members of the event's project only, without the
    actor, and also takes `only`: the id of the one recipient to write to, or None for all.
    """
    return lambda function: NoticeWriter(kinds, function, to_members)


def is_for_members(kind: str) -> bool:
    """Return whether only members of the project, without the actor, are notified of events of this kind."""
    return kind in NOTICE_WRITERS and NOTICE_WRITERS[kind].to_members


def kinds_with_notices() -> list[str]:
    """Return the kinds of events that users may be notified of, in order."""
    return sorted(NOTICE_WRITERS)


def write_notices(event: Event, only: ObjectId | None = None) -> list[Notice]:
    """Write the notices of an event, one for each recipient; `only` is the one recipient to write to, None for all.

    The actor is notified only of their account, and of what the service did because of their action.
    """
    writer = NOTICE_WRITERS.get(event.kind)
    if writer is None:
        return []
    written = writer.write(event, only=only) if writer.to_members else writer.write(event)
    return [notice for notice in written if _may_notify(notice, event) and only in (None, notice.recipient_id)]


def _may_notify(notice: Notice, event: Event) -> bool:
    return notice.recipient_id != event.actor_id or notice.kind in UNCHOSEN or notice.kind in CONSEQUENCES


def call_to_action(words: str, link: str) -> str:
    """Return the paragraph of a text that has a link; mails show it as a button with these words."""
    return f"{words}:\n{link}"


def in_language_of_subject(write: Writer) -> Writer:
    """Make a writer of notices to the account that an event is about write them in its language."""

    @wraps(write)
    def written(event: Event) -> Iterable[Notice]:
        with languages.using(users.locales([event.subject_id]).get(event.subject_id) if event.subject_id else None):
            return write(event)

    return written
