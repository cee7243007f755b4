"""The types of objects that sync knows: their form, the scope they need, and how their present state is read.

`read` returns the objects among some keys that the actor may see now, as stored; the serialisers are those of the API,
so an object has the same form everywhere.
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


@dataclass(frozen=True)
class SyncedType:
    """A type of objects. `personal`: only the account itself sees them, and no token for one project."""

    name: str
    scope: str
    read: Read
    dump: Callable[[Row], Row]
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


def _projects(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    return _keyed("projects", _visible_projects(keys, actor))


def _statuses(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    return [(ObjectKey("statuses", row["_id"]), row) for row in _visible_projects(keys, actor)]


def _visible_projects(keys: Sequence[ObjectKey], actor: Actor) -> list[Row]:
    ids = [key.id for key in keys if key.id in actor.project_roles]
    return list(Project.objects.alive().narrowed(_id={"$in": ids}).as_pymongo()) if ids else []


def _members(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    pairs = [{"project_id": key.project_id, "user_id": key.id} for key in keys if key.project_id in actor.project_roles]
    rows = list(Membership.objects.narrowed(**{"$or": pairs}).as_pymongo()) if pairs else []
    found = members.with_profiles(rows)
    return [(ObjectKey("members", row["user_id"], row["project_id"]), row) for row in found]


def _of_project(name: str, model: Any, stored: list[str]) -> Read:
    """Return the function that reads objects with a `project_id` that all members see."""

    def read(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
        rows = model.objects.narrowed(_id={"$in": _ids(keys)}).rows(len(keys), [*stored, "project_id"])
        return _keyed(name, [row for row in rows if row["project_id"] in actor.project_roles])

    return read


def _tasks(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    alive = Task.objects.alive().narrowed(_id={"$in": _ids(keys)})
    rows = alive.rows(len(keys), [*TASK.stored(), "project_id"])
    return _keyed("tasks", [row for row in rows if row["project_id"] in actor.project_roles])


def _with_visible_tasks(rows: list[Row], actor: Actor) -> list[Row]:
    """Return the rows, such as comments, whose task the actor may see."""
    task_ids = list({row["task_id"] for row in rows})
    found = Task.objects.alive().narrowed(_id={"$in": task_ids}).rows(len(task_ids), ["project_id"]) if task_ids else []
    visible = {row["_id"] for row in found if row["project_id"] in actor.project_roles}
    return [row for row in rows if row["task_id"] in visible]


def _comments(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    rows = Comment.objects.narrowed(_id={"$in": _ids(keys)}).rows(len(keys), [*COMMENT.stored(), "task_id"])
    return _keyed("comments", [comments.readable(row, actor) for row in _with_visible_tasks(rows, actor)])


def _reminders(keys: Sequence[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, Row]]:
    own = Reminder.objects.narrowed(_id={"$in": _ids(keys)}, user_id=actor.user_id)
    return _keyed("reminders", _with_visible_tasks(own.rows(len(keys), [*REMINDER.stored(), "task_id"]), actor))


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
        SyncedType("projects", "projects:read", _projects, PROJECT.dump),
        SyncedType("statuses", "projects:read", _statuses, _dump_statuses),
        SyncedType("members", "members:read", _members, MEMBER.dump),
        SyncedType("labels", "projects:read", _of_project("labels", Label, LABEL.stored()), LABEL.dump),
        SyncedType(
            "custom_fields",
            "projects:read",
            _of_project("custom_fields", CustomField, CUSTOM_FIELD.stored()),
            CUSTOM_FIELD.dump,
        ),
        SyncedType("views", "tasks:read", _views, _dump_view),
        SyncedType("tasks", "tasks:read", _tasks, TASK.dump),
        SyncedType("comments", "comments:read", _comments, COMMENT.dump),
        SyncedType("reminders", "tasks:read", _reminders, REMINDER.dump),
        SyncedType("notifications", "notifications:read", _notifications, NOTIFICATION.dump, personal=True),
        SyncedType("preferences", "notifications:read", _preferences, _dump_preferences, personal=True),
    )
}
