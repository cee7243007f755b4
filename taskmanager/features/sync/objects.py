"""The types of objects that sync knows: their form, the scope they need, and how their present state is read.

Objects are read as stored; the serialisers are those of the API, so an object has the same form everywhere.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from bson import ObjectId

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.features.comments import service as comments
from taskmanager.features.comments.models import Comment
from taskmanager.features.comments.routes import COMMENT
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.features.notifications.schemas import NOTIFICATION, PREFERENCES, PROJECT_PREFERENCES
from taskmanager.features.projects.labels.schemas import CUSTOM_FIELD, LABEL
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import CustomField, Label, Membership, Project
from taskmanager.features.projects.schemas import MEMBER, PROJECT
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.tasks.filtering import stored as stored_filters
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.recurrence.routes import REMINDER
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.tasks.schemas import TASK
from taskmanager.features.tasks.workflow.routes import WORKFLOW
from taskmanager.features.views.models import View
from taskmanager.features.views.routes import VIEW


class ObjectKey(NamedTuple):
    """Names an object: members by their user within a project, statuses and preferences by their project."""

    type: str
    id: ObjectId
    project_id: ObjectId | None = None  # only where the id alone is not unique


Read = Callable[[Sequence[ObjectKey], Actor], list[tuple[ObjectKey, Row]]]
Load = Callable[[Sequence[ObjectKey]], list[tuple[ObjectKey, Row, ObjectId]]]


def _as_stored(row: Row, actor: Actor) -> Row:
    return row


@dataclass(frozen=True)
class SyncedType:
    """A type of objects. `personal`: only the account itself sees them, and no token for one project.

    `load` reads objects that are the same for all who see their project, which comes with each; `shown` is what differs
    between these. Without it `read` reads those that one actor sees.
    """

    name: str
    scope: str
    dump: Callable[[Row], Row]
    load: Load | None = None
    read: Read | None = None
    shown: Callable[[Row, Actor], Row] = _as_stored
    personal: bool = False

    def is_readable_by(self, actor: Actor) -> bool:
        """Return whether this actor may sync the type."""
        if self.personal and (actor.account_id is None or actor.one_project):
            return False
        return actor.has_scope(self.scope) and (self.name != "reminders" or actor.account_id is not None)

    def encoded(self, row: Row) -> bytes:
        """Return an object as JSON."""
        return orjson.dumps(self.dump(row))


def _ids(keys: Iterable[ObjectKey]) -> list[ObjectId]:
    return [key.id for key in keys]


def _keyed(name: str, rows: Iterable[Row]) -> list[tuple[ObjectKey, Row]]:
    return [(ObjectKey(name, row["_id"]), row) for row in rows]


def _projects(name: str) -> Load:
    """Return the function that reads projects, or what is stored in them."""

    def load(keys: Sequence[ObjectKey]) -> list[tuple[ObjectKey, Row, ObjectId]]:
        rows = Project.objects.alive().narrowed(_id={"$in": _ids(keys)}).as_pymongo()
        return [(ObjectKey(name, row["_id"]), row, row["_id"]) for row in rows]

    return load


def _members(keys: Sequence[ObjectKey]) -> list[tuple[ObjectKey, Row, ObjectId]]:
    pairs = [{"project_id": key.project_id, "user_id": key.id} for key in keys]
    rows = list(Membership.objects.narrowed(**{"$or": pairs}).as_pymongo())
    found = members.with_profiles(rows)
    return [(ObjectKey("members", row["user_id"], row["project_id"]), row, row["project_id"]) for row in found]


def _of_project(name: str, model: Any, stored: list[str]) -> Load:
    """Return the function that reads objects with a `project_id` that all members see."""

    def load(keys: Sequence[ObjectKey]) -> list[tuple[ObjectKey, Row, ObjectId]]:
        rows = model.objects.narrowed(_id={"$in": _ids(keys)}).rows(len(keys), [*stored, "project_id"])
        return [(ObjectKey(name, row["_id"]), row, row["project_id"]) for row in rows]

    return load


def _tasks(keys: Sequence[ObjectKey]) -> list[tuple[ObjectKey, Row, ObjectId]]:
    alive = Task.objects.alive().narrowed(_id={"$in": _ids(keys)})
    rows = alive.rows(len(keys), [*TASK.stored(), "project_id"])
    return [(ObjectKey("tasks", row["_id"]), row, row["project_id"]) for row in rows]


def _comments(keys: Sequence[ObjectKey]) -> list[tuple[ObjectKey, Row, ObjectId]]:
    rows = Comment.objects.narrowed(_id={"$in": _ids(keys)}).rows(len(keys), [*COMMENT.stored(), "task_id"])
    projects = _projects_of_tasks(rows)
    found = [(row, projects.get(row["task_id"])) for row in rows]
    return [(ObjectKey("comments", row["_id"]), row, project_id) for row, project_id in found if project_id]


def _projects_of_tasks(rows: list[Row]) -> dict[ObjectId, ObjectId]:
    """Return the projects of the tasks that rows such as comments belong to, by task, of those not in the trash."""
    task_ids = list({row["task_id"] for row in rows})
    found = Task.objects.alive().narrowed(_id={"$in": task_ids}).rows(len(task_ids), ["project_id"]) if task_ids else []
    return {row["_id"]: row["project_id"] for row in found}


def _reminders(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    own = Reminder.objects.narrowed(_id={"$in": _ids(keys)}, user_id=actor.user_id)
    rows = own.rows(len(keys), [*REMINDER.stored(), "task_id"])
    projects = _projects_of_tasks(rows)
    return _keyed("reminders", [row for row in rows if projects.get(row["task_id"]) in actor.project_roles])


def _views(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    rows = list(View.objects.narrowed(_id={"$in": _ids(keys)}).as_pymongo())
    return _keyed("views", described_views([row for row in rows if _is_visible(row, actor)], actor))


def _is_visible(view: Row, actor: Actor) -> bool:
    is_own, project_id = view["owner_id"] == actor.account_id, view.get("project_id")
    return is_own if project_id is None else project_id in actor.project_roles and (is_own or view["shared"])


def described_views(rows: Iterable[Row], actor: Actor) -> list[Row]:
    """Return stored views with the fields that depend on the names of labels at present."""
    by_project: dict[ObjectId | None, list[Row]] = {}
    for row in rows:
        by_project.setdefault(row.get("project_id"), []).append(row)
    return [
        row
        for project_id, some in by_project.items()
        for row in stored_filters.current(some, actor, [project_id] if project_id else list(actor.project_roles))
    ]


def _notifications(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    found = notifications.visible(actor).narrowed(_id={"$in": _ids(keys)})
    return _keyed("notifications", found.rows(len(keys), NOTIFICATION.stored()))


def _preferences(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    return [(key, row) for key in keys for row in preferences_of(key.id, actor)]


def preferences_of(item_id: ObjectId, actor: Actor) -> list[Row]:
    """Return the preferences of the account (`item_id` is its own id), or those for a project that it sees."""
    if item_id == actor.account_id:
        return [preferences.get_own(actor=actor)]
    if item_id in actor.project_roles:
        return [preferences.get_for_project(item_id, actor=actor)]
    return []


def _dump_view(row: Row) -> Row:
    return VIEW.dump(row) | stored_filters.asked(row, None)


def _dump_statuses(row: Row) -> Row:
    workflow = Workflow(row.get("statuses", ()))
    return {"project_id": str(row["_id"])} | WORKFLOW.dump(row | {"statuses": workflow.statuses})


def _dump_preferences(row: Row) -> Row:
    return PROJECT_PREFERENCES.dump(row) if row.get("project_id") else {"project_id": None} | PREFERENCES.dump(row)


TYPES: dict[str, SyncedType] = {
    one.name: one
    for one in (
        SyncedType("projects", "projects:read", PROJECT.dump, _projects("projects")),
        SyncedType("statuses", "projects:read", _dump_statuses, _projects("statuses")),
        SyncedType("members", "members:read", MEMBER.dump, _members),
        SyncedType("labels", "projects:read", LABEL.dump, _of_project("labels", Label, LABEL.stored())),
        SyncedType(
            "custom_fields",
            "projects:read",
            CUSTOM_FIELD.dump,
            _of_project("custom_fields", CustomField, CUSTOM_FIELD.stored()),
        ),
        SyncedType("views", "tasks:read", _dump_view, read=_views),
        SyncedType("tasks", "tasks:read", TASK.dump, _tasks),
        SyncedType("comments", "comments:read", COMMENT.dump, _comments, shown=comments.readable),
        SyncedType("reminders", "tasks:read", REMINDER.dump, read=_reminders),
        SyncedType("notifications", "notifications:read", NOTIFICATION.dump, read=_notifications, personal=True),
        SyncedType("preferences", "notifications:read", _dump_preferences, read=_preferences, personal=True),
    )
}
