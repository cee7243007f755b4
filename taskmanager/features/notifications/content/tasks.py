"""Notices about tasks: to users who are involved in them, and to followers of whole projects."""

from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.events.log import Event, project_of
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications.content.quoting import inline, one_line, quoted
from taskmanager.features.notifications.content.registry import Notice, api_url, writes
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import PRIORITIES, Task
from taskmanager.features.users import service as users

_MAX_COMMENT_CHARACTERS = 1000
# The fields whose changes are reported, with the names that users know; positions and the like are not reported.
_REPORTED_FIELDS = {
    "title": "title",
    "description": "description",
    "status": "status",
    "priority": "priority",
    "due": "due",
    "start_at": "start",
    "label_ids": "labels",
    "assignee_ids": "assignees",
    "parent_id": "parent",
    "estimate_minutes": "estimate",
    "recurrence": "recurrence",
    "custom_fields": "custom fields",
}
_WITH_VALUES = {"status", "priority", "due"}


class _Wording(NamedTuple):
    """The kind and the words of a notice about a task; `direct`: it is about the recipient."""

    kind: str
    verb: str
    text: str = ""
    direct: bool = False


_ASSIGNED = _Wording("task.assigned", "assigned", direct=True)
_UNASSIGNED = _Wording("task.changed", "unassigned you from")


@writes("task.created", "task.updated", to_members=True)
def _task(event: Event, only: ObjectId | None) -> list[Notice]:
    """Notify new and former assignees of the assignment, other users that the task is new or what changed.

    The next task of a series has the assignees of the last one: they are notified of the completion only. Changes by
    the service itself, such as the removal of a deleted label from all tasks, are not reported.
    """
    if event.actor_id is None:
        return []
    changes = event.data.get("changes", {})
    before, after = changes.get("assignee_ids", [[], []])
    general = _Wording("task.created", "created") if event.kind == "task.created" else _changed(changes)
    special = {user_id: _UNASSIGNED for user_id in before if user_id not in after}
    if "follows" not in changes:
        special |= {user_id: _ASSIGNED for user_id in after if user_id not in before}
    return _notices(event, special, general, only)


@writes("task.completed", "task.reopened", "task.deleted", "task.restored", "task.moved_in", to_members=True)
def _state_changed(event: Event, only: ObjectId | None) -> list[Notice]:
    verb = event.kind.removeprefix("task.").replace("_in", "")
    return _notices(event, {}, _Wording("task.completed" if verb == "completed" else "task.changed", verb), only)


@writes("task.moved_out")
def _moved_out(event: Event) -> list[Notice]:
    """Notify users who were involved and are not in the new project, without a word of the task as it is there."""
    project_id = project_of(event)
    project = Project.objects(id=project_id).alive().first()
    task = Task.objects(id=event.subject_id).first()
    if project is None or task is None:
        return []
    roles = _former_roles(event.data["changes"], task)
    user_ids = members.ids_of(project_id, list(roles), since=event.at)
    key = next((key for key in reversed(task.former_keys) if key.startswith(f"{project.key}-")), "a task")
    profiles = users.public_profiles([*user_ids, *filter(None, [event.actor_id])])
    first, link = f"{_name(profiles, event.actor_id)} moved {key}", api_url(f"/projects/{project_id}")
    subject = f"[{key}] is in another project now"
    texts = {
        user_id: f"{first}, {roles[user_id]}, to a project that you are not in.\n\n{link}\n" for user_id in user_ids
    }
    return [
        Notice(user_id, profiles[user_id], subject, texts[user_id], "task.changed", project_id, None, event.actor_id)
        for user_id in user_ids
        if user_id in profiles
    ]


def _former_roles(changes: dict[str, list[Any]], task: Task) -> dict[ObjectId, str]:
    """Return {user id: in what role} of the users who were involved in a task until it was moved."""
    reporter = [] if members.are_members(changes["project_id"][1], [task.reporter_id]) else [task.reporter_id]
    roles = dict.fromkeys(reporter, "which you created")
    for field, role in (("watcher_ids", "which you watched"), ("assignee_ids", "which was assigned to you")):
        before, after = changes.get(field, [[], []])
        roles |= {user_id: role for user_id in before if user_id not in after}
    return roles


@writes("comment.created", "comment.updated", to_members=True)
def _comment(event: Event, only: ObjectId | None) -> list[Notice]:
    """Notify newly mentioned users of the mention, and other users of a new comment."""
    comment = Comment.objects(id=event.data["comment_id"]).first()
    if comment is None:
        return []
    text = f"{quoted(comment.text[:_MAX_COMMENT_CHARACTERS])}\n\n"
    mention = _Wording("task.mentioned", "mentioned you in a comment on", text, direct=True)
    general = _Wording("task.commented", "commented on", text) if event.kind == "comment.created" else None
    mentioned = [user_id for user_id in event.data["mentioned"] if user_id in comment.mentioned_ids]
    return _notices(event, dict.fromkeys(mentioned, mention), general, only)


@writes("reminder.fired")
def _reminder(event: Event) -> list[Notice]:
    """Notify the user who set the reminder."""
    user_id = event.data["user_id"]
    task = Task.objects.alive().filter(id=event.data["task_id"]).first()
    profile = users.public_profiles([user_id]).get(user_id)
    if task is None or profile is None or not members.are_members(task.project_id, [user_id]):
        return []
    if not _is_alive(task.project_id):
        return []
    title, due = inline(task.title), f"Due: {task.due}\n\n" if task.due else ""
    text = f"You asked to be reminded of {task.key}:\n\n    {title}\n\n{due}{api_url(f'/tasks/{task.id}')}\n"
    subject = f"Reminder: [{task.key}] {one_line(task.title)}"
    return [Notice(user_id, profile, subject, text, "task.reminder", task.project_id, task.id)]


@writes("member.added")
def _added(event: Event) -> list[Notice]:
    """Notify the new member."""
    project_id, user_id = project_of(event), event.data["user_id"]
    project = Project.objects(id=project_id).alive().first()
    if project is None or not members.are_members(project_id, [user_id]):
        return []
    profiles = users.public_profiles([user_id, *filter(None, [event.actor_id])])
    if user_id not in profiles:
        return []
    by, name = _name(profiles, event.actor_id), one_line(project.name)
    added = f"{by} added you to {inline(name)} with the role {event.data['role']}."
    text = f"{added}\n\n{api_url(f'/projects/{project_id}')}\n"
    subject = f"You are in {name} now"
    return [Notice(user_id, profiles[user_id], subject, text, "project.added", project_id, None, event.actor_id)]


def _changed(changes: dict[str, list[object]]) -> _Wording | None:
    """Return the words of a change; None when no reported field changed."""
    lines = [_line(field, *changes[field]) for field in _REPORTED_FIELDS if field in changes]
    if not lines:
        return None
    done = changes.get("status_group", [None])[-1] == "done"
    kind, verb = ("task.completed", "completed") if done else ("task.changed", "changed")
    return _Wording(kind, verb, "".join(f"{line}\n" for line in lines) + "\n")


def _line(field: str, before: object, after: object) -> str:
    if field not in _WITH_VALUES:
        return f"- {_REPORTED_FIELDS[field]}"
    if field == "priority":
        before, after = (PRIORITIES[value] if isinstance(value, int) else value for value in (before, after))
    return f"- {_REPORTED_FIELDS[field]}: {before or 'none'} → {after or 'none'}"


def _is_alive(project_id: ObjectId) -> bool:
    return Project.objects(id=project_id).alive().only("id").first() is not None


def _notices(
    event: Event, special: dict[ObjectId, _Wording], general: _Wording | None, only: ObjectId | None
) -> list[Notice]:
    """Return the notices of an event of a task: `special` by user id, `general` for all other members.

    A user in `special` counts as involved. Recipients were members at the time of the event, and still are. There are
    no notices when the task was deleted, restored or moved since, or when its project is deleted.
    """
    if not (special or general):
        return []
    project_id, asked = project_of(event), [only] if only else None
    user_ids = [user_id for user_id in members.ids_of(project_id, asked, since=event.at) if user_id != event.actor_id]
    wordings = {user_id: wording for user_id in user_ids if (wording := special.get(user_id, general))}
    task = wordings and Task.objects(id=event.subject_id, project_id=project_id).first()
    if not task or bool(task.deleted_at) != (event.kind == "task.deleted") or not _is_alive(project_id):
        return []
    profiles = users.public_profiles([*wordings, *filter(None, [event.actor_id])])
    by = _name(profiles, event.actor_id)
    return [
        _notice(event, task, profiles[user_id], wording, by, user_id, user_id in special)
        for user_id, wording in wordings.items()
        if user_id in profiles and _still_holds(wording, user_id, task)
    ]


def _still_holds(wording: _Wording, user_id: ObjectId, task: Task) -> bool:
    """Return False for an assignment that was undone since."""
    return wording is not _ASSIGNED or user_id in task.assignee_ids


def _notice(
    event: Event, task: Task, profile: dict[str, str], wording: _Wording, by: str, user_id: ObjectId, involved: bool
) -> Notice:
    return Notice(
        user_id,
        profile,
        f"[{task.key}] {one_line(task.title)}",
        _text(task, wording, by),
        wording.kind,
        task.project_id,
        task.id,
        event.actor_id,
        direct=wording.direct,
        involved=involved or (wording.kind != "task.created" and user_id in _involved(task)),
    )


def _involved(task: Task) -> set[ObjectId]:
    return {*task.assignee_ids, *task.watcher_ids, task.reporter_id}


def _text(task: Task, wording: _Wording, by: str) -> str:
    first = f"{by} {wording.verb} {task.key}{' to you' if wording.kind == 'task.assigned' else ''}:"
    return f"{first}\n\n    {inline(task.title)}\n\n{wording.text}{api_url(f'/tasks/{task.id}')}\n"


def _name(profiles: dict[ObjectId, dict[str, str]], user_id: ObjectId | None) -> str:
    return inline(profiles.get(user_id, {}).get("name", "Someone")) if user_id else "Someone"
