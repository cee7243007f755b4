"""Fills in the whole content of a target: an account, a project, or the comments and reminders of a task.

A target has steps, one for each type. A step returns its next rows behind a key, so that a page may end anywhere.
"""

from collections.abc import Callable
from typing import Any

from bson import ObjectId

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import CREATED, Key, Order, Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.features.comments import service as comments
from taskmanager.features.comments.models import Comment
from taskmanager.features.comments.routes import COMMENT
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.schemas import NOTIFICATION
from taskmanager.features.projects.labels.service import custom_fields, labels
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.sync.objects import described_views, preferences_of
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.recurrence.routes import REMINDER
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.tasks.schemas import TASK
from taskmanager.features.views import service as views

Rows = tuple[list[Row], Key | None]  # the next rows, and the key of the last one when there are more
Step = Callable[[ObjectId, Actor, Key | None, int], Rows]

_BY_ID = Order.by("_id")
_TASKS = 200  # tasks whose comments are read together


def _page(found: Any, key: Key | None, limit: int, fields: list[str] | None = None, order: Order = _BY_ID) -> Rows:
    page = found.page(order, limit, after=key, fields=fields)
    return page.rows, page.next_key


def _project(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return list(Project.objects.visible_to(actor).filter(id=project_id).as_pymongo()), None


def _members(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _page(members.visible(project_id, actor), key, limit)


def _labels(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _page(labels.visible(project_id, actor), key, limit)


def _custom_fields(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _page(custom_fields.visible(project_id, actor), key, limit)


def _views(project_id: ObjectId | None, actor: Actor, key: Key | None, limit: int) -> Rows:
    rows, next_key = _page(views.visible(project_id, actor).query, key, limit)
    return described_views(rows, actor), next_key


def _own_views(user_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _views(None, actor, key, limit)


def _notifications(project_id: ObjectId | None, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _page(notifications.visible(actor).filter(project_id=project_id), key, limit, NOTIFICATION.stored())


def _own_notifications(user_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _notifications(None, actor, key, limit)


def _preferences(item_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return preferences_of(item_id, actor), None


def _tasks(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _page(Task.objects.in_project(project_id), key, limit, TASK.stored(), CREATED)


def _readable(rows: list[Row], actor: Actor) -> list[Row]:
    return [comments.readable(row, actor) for row in rows]


def _comments(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    rows, next_key = _of_tasks(Comment.objects, COMMENT.stored(), project_id, key, limit)
    return _readable(rows, actor), next_key


def _reminders(project_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    return _of_tasks(Reminder.objects(user_id=actor.user_id), REMINDER.stored(), project_id, key, limit)


def _of_tasks(found: BaseQuerySet, stored: list[str], project_id: ObjectId, key: Key | None, limit: int) -> Rows:
    """Return what belongs to the tasks of a project, _TASKS of them after the other.

    The key has the tasks between which these are, both in the order of creation, and the last row of them.
    """
    begin, end, task_id, row_id = key or (None, None, None, None)
    tasks = Task.objects.in_project(project_id).page(CREATED, _TASKS, after=begin, fields=["_id"])
    keys = [CREATED.key_of(row) for row in tasks.rows]
    ids = [one[-1] for one in keys if end is None or one <= end]
    if task_id:
        rest = {"task_id": {"$in": [one for one in ids if one > task_id]}}
        found = found.narrowed(**{"$or": [{"task_id": task_id, "_id": {"$gt": row_id}}, rest]})
    else:
        found = found.narrowed(task_id={"$in": ids})
    rows = found.rows(limit + 1, [*stored, "task_id"], [("task_id", 1), ("_id", 1)])
    if len(rows) > limit:
        last = rows[limit - 1]
        return rows[:limit], [begin, end or keys[-1], last["task_id"], last["_id"]]
    following = end or tasks.next_key
    return rows, [following, None, None, None] if following else None


def _comments_of_task(task_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    if not _sees_task(task_id, actor):
        return [], None
    rows, next_key = _page(Comment.objects(task_id=task_id), key, limit, COMMENT.stored())
    return _readable(rows, actor), next_key


def _reminders_of_task(task_id: ObjectId, actor: Actor, key: Key | None, limit: int) -> Rows:
    if not _sees_task(task_id, actor):
        return [], None
    return _page(Reminder.objects(task_id=task_id, user_id=actor.user_id), key, limit, REMINDER.stored())


def _sees_task(task_id: ObjectId, actor: Actor) -> bool:
    return Task.objects.visible_to(actor).filter(id=task_id).only("id").first() is not None


_STEPS: dict[str, dict[str, Step]] = {
    "account": {"views": _own_views, "notifications": _own_notifications, "preferences": _preferences},
    "project": {
        "projects": _project,
        "statuses": _project,
        "members": _members,
        "labels": _labels,
        "custom_fields": _custom_fields,
        "views": _views,
        "preferences": _preferences,
        "notifications": _notifications,
        "tasks": _tasks,
        "comments": _comments,
        "reminders": _reminders,
    },
    "task": {"comments": _comments_of_task, "reminders": _reminders_of_task},
}


def steps_of(target: str, types: list[str]) -> list[str]:
    """Return the types of a target that a client follows, in the order in which they are filled in."""
    return [name for name in _STEPS[target.partition(":")[0]] if name in types]


def rows_of(target: str, step: str, actor: Actor, key: Key | None, limit: int) -> Rows:
    """Return the next rows of a step of a target; none of a project that the actor does not see any more."""
    kind, _, item_id = target.partition(":")
    if kind == "project" and ObjectId(item_id) not in actor.project_roles:
        return [], None
    return _STEPS[kind][step](ObjectId(item_id), actor, key, limit)
