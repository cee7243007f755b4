"""Use cases of calendars: secret links that the account can revoke, and the tasks that a link shows.

An account has one nonce. The link to its own calendar, and one for each project, are signed with values that are
derived from it, so that who knows the link to one calendar does not know the others. Another nonce ends them all.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import Any

from bson import Binary, ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import NotFound
from taskmanager.core.events.log import record
from taskmanager.core.security import access, signed_tokens
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Order, Row
from taskmanager.core.storage.querysets import Shortened
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.calendars.events import CalendarLinksIssued, CalendarLinksRevoked
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.models import Label
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users import service as users
from taskmanager.features.users.models import User

PREFIX = "tc_"
MAX_TASKS = 1000  # of a calendar: the next ones from yesterday on, then the latest before
PAST_DAYS, TRASH_DAYS = 366, 30
_NEXT, _LATEST = Order.by("due_at"), Order.by("-due_at")
_TODAY = timedelta(days=1)  # what is due today in any zone is among the next ones
_FIELDS = (
    *("project_id", "key", "title", Shortened("description"), "status_group", "priority", "start_at", "due", "due_at"),
    *("due_timezone", "recurrence", "recurs_from", "recurs_at", "completed_at", "revision", "created_at", "updated_at"),
    *("label_ids", "deleted_at"),
)


@dataclass(frozen=True)
class Calendar:
    """What a calendar shows: tasks with reminders and names of labels, zones of projects; `name` of its project."""

    name: str
    tasks: list[Row]
    reminders: list[Row]
    zones: dict[ObjectId, str]
    labels: dict[ObjectId, str]


@unit_of_work
def issue(*, actor: Actor) -> None:
    """Issue new links to all calendars of the account; earlier ones end."""
    _set(actor, Binary(signed_tokens.make_nonce()))
    record(CalendarLinksIssued(User.objects.one(actor.user_id)))


@unit_of_work
def revoke(*, actor: Actor) -> None:
    """Revoke the links to all calendars of the account."""
    _set(actor, None)
    record(CalendarLinksRevoked(User.objects.one(actor.user_id)))


def _set(actor: Actor, nonce: Binary | None) -> None:
    values = {"calendar_nonce": nonce, "calendar_at": now()}
    change = {"$set": values} if nonce else {"$unset": dict.fromkeys(values, "")}
    User._get_collection().update_one({"_id": actor.user_id}, change)


def token(project_id: ObjectId | None, *, actor: Actor) -> str:
    """Return the token of the account's own calendar, or of a project's. Raises NotFound (`calendar.no_link`)."""
    if project_id is not None and project_id not in actor.project_roles:
        raise NotFound
    nonce = _nonce(actor.user_id)
    if nonce is None:
        raise NotFound("You have no links to calendars.", code="calendar.no_link")
    ids = (actor.user_id, project_id) if project_id else (actor.user_id,)
    return signed_tokens.sign(PREFIX, *ids, nonce=_derived(nonce, project_id))


def _nonce(user_id: ObjectId) -> bytes | None:
    """Return the nonce of an account; None when it has none, is disabled, or was recovered since."""
    row = User.objects(id=user_id).only("calendar_nonce", "calendar_at").as_pymongo().first()
    if not row or "calendar_nonce" not in row or not users.stands_for(user_id, row["calendar_at"]):
        return None
    return bytes(row["calendar_nonce"])


def _derived(nonce: bytes, project_id: ObjectId | None) -> bytes:
    return hashlib.sha256(nonce + (project_id.binary if project_id else b"")).digest()[: len(nonce)]


class LinkInvalid(NotFound):
    """No calendar has this link, or it was revoked, or its account has lost the right: the response does not tell."""

    code = "calendar.link_invalid"
    detail = "This link shows no calendar: it was replaced or revoked, or the right to read it has ended."


def is_link(text: str) -> bool:
    """Return whether this service has made the token of a link, which may have ended."""
    return signed_tokens.verify(PREFIX, text) is not None


def read(text: str, project_id: ObjectId | None) -> Calendar:
    """Return what the calendar of a token shows by the rights of its account now. Raises LinkInvalid."""
    known = signed_tokens.verify(PREFIX, text)
    if known is None or known.ids[1:] != ((project_id,) if project_id else ()):
        raise LinkInvalid
    user_id = known.ids[0]
    nonce, found = _nonce(user_id), access.find(user_id, None)
    if nonce is None or found is None or not compare_digest(known.nonce, _derived(nonce, project_id)):
        raise LinkInvalid
    if project_id and project_id not in found.project_roles:
        raise LinkInvalid
    return _of(user_id, [project_id] if project_id else list(found.project_roles), own=project_id is None)


def _of(user_id: ObjectId, project_ids: list[ObjectId], *, own: bool) -> Calendar:
    mine = {"marks": f"a:{user_id}"} if own else {}
    tasks = _nearest(Task.objects.in_projects(project_ids), mine, MAX_TASKS)
    gone = mine | {"deleted_at": {"$gte": now() - timedelta(days=TRASH_DAYS)}}
    tasks += _nearest(Task.objects.in_trash().filter(project_id__in=project_ids), gone, MAX_TASKS - len(tasks))
    ids = [task["_id"] for task in tasks]
    shown = ["task_id", "fire_at", "revision"]
    found = Reminder.objects.narrowed(task_id={"$in": ids}, user_id=user_id, fire_at={"$ne": None})
    rules = projects.rules_of({task["project_id"] for task in tasks})
    zones = {key: rule.timezone for key, rule in rules.items()}
    name = "" if own else projects.name_of(project_ids[0])
    reminders = found.rows(MAX_TASKS, shown, [("_id", 1)]) if ids else []
    return Calendar(name, tasks, reminders, zones, _labels(tasks))


def _labels(tasks: list[Row]) -> dict[ObjectId, str]:
    """Return the names of the labels of tasks, by id."""
    ids = sorted({label_id for task in tasks for label_id in task.get("label_ids", ())})
    found = Label.objects.narrowed(_id={"$in": ids}).rows(len(ids), ["name"], [("_id", 1)]) if ids else []
    return {label["_id"]: label["name"] for label in found}


def _nearest(found: Any, query: Row, most: int) -> list[Row]:
    """Return the tasks whose due comes next, and if there are fewer, the latest before."""
    today, first = now() - _TODAY, now() - timedelta(days=PAST_DAYS)
    rows = _first(found, query | {"due_at": {"$gte": today}}, _NEXT, most)
    return rows + _first(found, query | {"due_at": {"$gte": first, "$lt": today}}, _LATEST, most - len(rows))


def _first(found: Any, query: Row, order: Order, most: int) -> list[Row]:
    """Return the first tasks of a query, however many pages they take."""
    wanted, after = found.filter(__raw__=query), None
    rows: list[Row] = []
    while len(rows) < most:
        page = wanted.page(order, most - len(rows), after=after, fields=_FIELDS)
        rows += page.rows
        after = page.next_key
        if after is None:
            break
    return rows


def reminders_by_task(reminders: Iterable[Row]) -> dict[ObjectId, list[Row]]:
    """Return reminders by the id of their task."""
    found: dict[ObjectId, list[Row]] = {}
    for reminder in reminders:
        found.setdefault(reminder["task_id"], []).append(reminder)
    return found
