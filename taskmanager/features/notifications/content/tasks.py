"""Notices about tasks: to users who are involved in them, and to followers of whole projects."""

from collections.abc import Callable
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.events.log import Event, project_of
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext, marked
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications.content.quoting import inline, one_line, quoted
from taskmanager.features.notifications.content.registry import Notice, call_to_action, writes
from taskmanager.features.projects import titles
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import PRIORITIES, Task
from taskmanager.features.users import service as users

_MAX_COMMENT_CHARACTERS = 1000
# The fields whose changes are reported, with the names that users know; positions and the like are not reported.
_REPORTED_FIELDS = {
    "title": marked("title"),
    "description": marked("description"),
    "status": marked("status"),
    "priority": marked("priority"),
    "due": marked("due"),
    "start_at": marked("start"),
    "label_ids": marked("labels"),
    "assignee_ids": marked("assignees"),
    "parent_id": marked("parent"),
    "estimate_minutes": marked("estimate"),
    "recurrence": marked("recurrence"),
    "custom_fields": marked("custom fields"),
}
_WITH_VALUES = {"status", "priority", "due"}
_SENTENCES = {
    "assigned": marked("%(by)s assigned %(key)s to you:"),
    "unassigned": marked("%(by)s unassigned you from %(key)s:"),
    "mentioned": marked("%(by)s mentioned you in a comment on %(key)s:"),
    "commented": marked("%(by)s commented on %(key)s:"),
    "created": marked("%(by)s created %(key)s:"),
    "changed": marked("%(by)s changed %(key)s:"),
    "completed": marked("%(by)s completed %(key)s:"),
    "reopened": marked("%(by)s reopened %(key)s:"),
    "deleted": marked("%(by)s deleted %(key)s:"),
    "restored": marked("%(by)s restored %(key)s:"),
    "moved": marked("%(by)s moved %(key)s:"),
}


class _Wording(NamedTuple):
    """The kind and the words of a notice about a task; `direct`: it is about the recipient.

    `details` returns further paragraphs in the language of the recipient.
    """

    kind: str
    verb: str
    details: Callable[[], str] = str
    direct: bool = False


_ASSIGNED = _Wording("task.assigned", "assigned", direct=True)
_UNASSIGNED = _Wording("task.changed", "unassigned")


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
    key = next((key for key in reversed(task.former_keys) if key.startswith(f"{project.key}-")), None)
    profiles = users.public_profiles([*user_ids, *filter(None, [event.actor_id])])
    locales, notices = users.locales(user_ids), []
    for user_id in (one for one in user_ids if one in profiles):
        with languages.using(locales.get(user_id)):
            call = call_to_action(gettext("Open the project"), links.project(project_id))
            first = gettext(roles[user_id], by=_name(profiles, event.actor_id), key=key or gettext("a task"))
            subject = gettext("[%(key)s] is in another project now", key=key or gettext("a task"))
            to, text = profiles[user_id], f"{first}\n\n{call}\n"
            notices.append(
                Notice(user_id, to, subject, text, "task.changed", project_id, None, event.actor_id, call=call)
            )
    return notices


_MOVED = {
    "reporter_id": marked("%(by)s moved %(key)s, which you created, to a project that you are not in."),
    "watcher_ids": marked("%(by)s moved %(key)s, which you watched, to a project that you are not in."),
    "assignee_ids": marked("%(by)s moved %(key)s, which was assigned to you, to a project that you are not in."),
}


def _former_roles(changes: dict[str, list[Any]], task: Task) -> dict[ObjectId, str]:
    """Return {user id: the sentence for their role} of the users who were involved in a task until it was moved."""
    reporter = [] if members.are_members(changes["project_id"][1], [task.reporter_id]) else [task.reporter_id]
    roles = dict.fromkeys(reporter, _MOVED["reporter_id"])
    for field in ("watcher_ids", "assignee_ids"):
        before, after = changes.get(field, [[], []])
        roles |= {user_id: _MOVED[field] for user_id in before if user_id not in after}
    return roles


@writes("comment.created", "comment.updated", to_members=True)
def _comment(event: Event, only: ObjectId | None) -> list[Notice]:
    """Notify newly mentioned users of the mention, and other users of a new comment."""
    comment = Comment.objects(id=event.data["comment_id"]).first()
    if comment is None:
        return []
    text = f"{quoted(comment.text[:_MAX_COMMENT_CHARACTERS])}\n\n"
    mention = _Wording("task.mentioned", "mentioned", lambda: text, direct=True)
    general = _Wording("task.commented", "commented", lambda: text) if event.kind == "comment.created" else None
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
    zone = users.timezones([user_id]).get(user_id)
    with languages.using(users.locales([user_id]).get(user_id)):
        first = gettext("You asked to be reminded of %(key)s:", key=task.key)
        due = gettext("Due: %(due)s", due=languages.due_text(task.due, zone)) + "\n\n" if task.due else ""
        call = _open_task(task)
        subject = gettext("Reminder: [%(key)s] %(title)s", key=task.key, title=one_line(task.title))
        text = f"{first}\n\n    {inline(task.title)}\n\n{due}{call}\n"
        return [Notice(user_id, profile, subject, text, "task.reminder", task.project_id, task.id, call=call)]


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
    with languages.using(users.locales([user_id]).get(user_id)):
        name, role = one_line(project.name), titles.of_role(event.data["role"])
        by = _name(profiles, event.actor_id)
        added = gettext("%(by)s added you to %(name)s with the role %(role)s.", by=by, name=inline(name), role=role)
        call = call_to_action(gettext("Open the project"), links.project(project_id))
        subject, text = gettext("You are in %(name)s now", name=name), f"{added}\n\n{call}\n"
        to = profiles[user_id]
        return [Notice(user_id, to, subject, text, "project.added", project_id, None, event.actor_id, call=call)]


def _changed(changes: dict[str, list[object]]) -> _Wording | None:
    """Return the words of a change; None when no reported field changed."""
    reported = [field for field in _REPORTED_FIELDS if field in changes]
    if not reported:
        return None
    done = changes.get("status_group", [None])[-1] == "done"
    kind, verb = ("task.completed", "completed") if done else ("task.changed", "changed")
    return _Wording(kind, verb, lambda: "".join(f"{_line(field, *changes[field])}\n" for field in reported) + "\n")


def _line(field: str, before: object, after: object) -> str:
    name = gettext(_REPORTED_FIELDS[field])
    if field not in _WITH_VALUES:
        return f"- {name}"
    before, after = (_value(field, value) for value in (before, after))
    return f"- {name}: {before} → {after}"


def _value(field: str, value: object) -> str:
    """Return a status, priority or due for people."""
    if field == "priority":
        return titles.of_priority(PRIORITIES[value] if isinstance(value, int) else str(value or PRIORITIES[0]))
    return str(value) if value else gettext("none")


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
    locales, notices = users.locales(wordings), []
    for user_id, wording in wordings.items():
        if user_id in profiles and _still_holds(wording, user_id, task):
            with languages.using(locales.get(user_id)):
                by, to = _name(profiles, event.actor_id), profiles[user_id]
                notices.append(_notice(event, task, to, wording, by, user_id, user_id in special))
    return notices


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
        call=_open_task(task),
    )


def _involved(task: Task) -> set[ObjectId]:
    return {*task.assignee_ids, *task.watcher_ids, task.reporter_id}


def _text(task: Task, wording: _Wording, by: str) -> str:
    first = gettext(_SENTENCES[wording.verb], by=by, key=task.key)
    return f"{first}\n\n    {inline(task.title)}\n\n{wording.details()}{_open_task(task)}\n"


def _open_task(task: Task) -> str:
    return call_to_action(gettext("Open the task"), links.task(task.id, key=task.key, project_id=task.project_id))


def _name(profiles: dict[ObjectId, dict[str, str]], user_id: ObjectId | None) -> str:
    return inline(profiles.get(user_id, {}).get("name") or gettext("Someone")) if user_id else gettext("Someone")
