"""Notices about tasks: to those who have to do with them, and to those who follow whole projects."""

from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.events.log import Event, project_of
from taskmanager.features.comments.models import Comment
from taskmanager.features.notifications.content.quoting import one_line, quoted, words
from taskmanager.features.notifications.content.registry import Notice, url, writes
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import PRIORITIES, Task
from taskmanager.features.users import service as users

_MAX_COMMENT_CHARACTERS = 1000
# What is told of a change, by the names that people know; the order by hand and the like are no news.
_TOLD = {
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


class _Story(NamedTuple):
    """What happened to a task, as each sort of reader is told: `direct` if it is about the reader."""

    kind: str
    headline: str
    text: str = ""
    direct: bool = False


_ASSIGNED = _Story("task.assigned", "assigned", direct=True)
_UNASSIGNED = _Story("task.changed", "unassigned you from")


@writes("task.created", "task.updated", to_members=True)
def _task(event: Event, only: ObjectId | None) -> list[Notice]:
    """Return who is newly assigned hears that, and who is not any more; the others that it is new, or what changed.

    Who is assigned to a recurring task is so to the next one too, and hears that the last one is completed.
    What the service itself does to tasks, such as taking a deleted label off them all, is no news.
    """
    if event.actor_id is None:
        return []
    changes = event.data.get("changes", {})
    before, after = changes.get("assignee_ids", [[], []])
    story = _Story("task.created", "made") if event.kind == "task.created" else _changed(changes)
    special = {user_id: _UNASSIGNED for user_id in before if user_id not in after}
    if "follows" not in changes:
        special |= {user_id: _ASSIGNED for user_id in after if user_id not in before}
    return _notices(event, special, story, only)


@writes("task.completed", "task.reopened", "task.deleted", "task.restored", "task.moved_in", to_members=True)
def _happened(event: Event, only: ObjectId | None) -> list[Notice]:
    word = event.kind.removeprefix("task.").replace("_in", "")
    return _notices(event, {}, _Story("task.completed" if word == "completed" else "task.changed", word), only)


@writes("task.moved_out")
def _moved_out(event: Event) -> list[Notice]:
    """Return to those who had to do with it and are not in the project where it is now; nothing of what it is there."""
    project_id = project_of(event)
    project = Project.objects(id=project_id).alive().first()
    task = Task.objects(id=event.subject_id).first()
    if project is None or task is None:
        return []
    lost = _lost(event.data["changes"], task)
    people = members.ids_of(project_id, list(lost), since=event.at)
    key = next((key for key in reversed(task.former_keys) if key.startswith(f"{project.key}-")), "a task")
    profiles = users.public_profiles([*people, *filter(None, [event.actor_id])])
    first, place = f"{_name(profiles, event.actor_id)} moved {key}", url(f"/projects/{project_id}")
    subject = f"[{key}] is in another project now"
    texts = {user_id: f"{first}, {lost[user_id]}, to a project that you are not in.\n\n{place}\n" for user_id in people}
    return [
        Notice(user_id, profiles[user_id], subject, texts[user_id], "task.changed", project_id, None, event.actor_id)
        for user_id in people
        if user_id in profiles
    ]


def _lost(changes: dict[str, list[Any]], task: Task) -> dict[ObjectId, str]:
    """Return who had to do with a task that was moved, and has not any more; and what it was to them."""
    reporter = [] if members.are_members(changes["project_id"][1], [task.reporter_id]) else [task.reporter_id]
    words = dict.fromkeys(reporter, "which you made")
    for field, what in (("watcher_ids", "which you watched"), ("assignee_ids", "which was assigned to you")):
        before, after = changes.get(field, [[], []])
        words |= {user_id: what for user_id in before if user_id not in after}
    return words


@writes("comment.created", "comment.updated", to_members=True)
def _comment(event: Event, only: ObjectId | None) -> list[Notice]:
    """Return who is newly mentioned hears that; of a new comment the others hear too."""
    comment = Comment.objects(id=event.data["comment_id"]).first()
    if comment is None:
        return []
    text = f"{quoted(comment.text[:_MAX_COMMENT_CHARACTERS])}\n\n"
    mention = _Story("task.mentioned", "mentioned you in a comment on", text, direct=True)
    story = _Story("task.commented", "commented on", text) if event.kind == "comment.created" else None
    mentioned = [user_id for user_id in event.data["mentioned"] if user_id in comment.mentioned_ids]
    return _notices(event, dict.fromkeys(mentioned, mention), story, only)


@writes("reminder.fired")
def _reminder(event: Event) -> list[Notice]:
    """Return to the one who set it."""
    user_id = event.data["user_id"]
    task = Task.objects.alive().filter(id=event.data["task_id"]).first()
    card = users.public_profiles([user_id]).get(user_id)
    if task is None or card is None or not members.are_members(task.project_id, [user_id]):
        return []
    if not _is_alive(task.project_id):
        return []
    title, due = words(task.title), f"Due: {task.due}\n\n" if task.due else ""
    text = f"You wanted to be reminded of {task.key}:\n\n    {title}\n\n{due}{url(f'/tasks/{task.id}')}\n"
    subject = f"Reminder: [{task.key}] {one_line(task.title)}"
    return [Notice(user_id, card, subject, text, "task.reminder", task.project_id, task.id)]


@writes("member.added")
def _added(event: Event) -> list[Notice]:
    """Return to the one who is a member now."""
    project_id, user_id = project_of(event), event.data["user_id"]
    project = Project.objects(id=project_id).alive().first()
    if project is None or not members.are_members(project_id, [user_id]):
        return []
    profiles = users.public_profiles([user_id, *filter(None, [event.actor_id])])
    if user_id not in profiles:
        return []
    by, name = _name(profiles, event.actor_id), one_line(project.name)
    text = f"{by} added you to {words(name)}, as {event.data['role']}.\n\n{url(f'/projects/{project_id}')}\n"
    subject = f"You are in {name} now"
    return [Notice(user_id, profiles[user_id], subject, text, "project.added", project_id, None, event.actor_id)]


def _changed(changes: dict[str, list[object]]) -> _Story | None:
    """Return what changed, in words; None when there is nothing that anybody would want to hear."""
    lines = [_line(field, *changes[field]) for field in _TOLD if field in changes]
    if not lines:
        return None
    done = changes.get("status_group", [None])[-1] == "done"
    kind, headline = ("task.completed", "completed") if done else ("task.changed", "changed")
    return _Story(kind, headline, "".join(f"{line}\n" for line in lines) + "\n")


def _line(field: str, before: object, after: object) -> str:
    if field not in _WITH_VALUES:
        return f"- {_TOLD[field]}"
    if field == "priority":
        before, after = (PRIORITIES[value] if isinstance(value, int) else value for value in (before, after))
    return f"- {_TOLD[field]}: {before or 'none'} → {after or 'none'}"


def _is_alive(project_id: ObjectId) -> bool:
    return Project.objects(id=project_id).alive().only("id").first() is not None


def _notices(
    event: Event, special: dict[ObjectId, _Story], story: _Story | None, only: ObjectId | None
) -> list[Notice]:
    """Return `special` says of some what they are told, and shows that they have to do with it; `story` is for all
    others.

    Told are those who were members then, and are; nothing of a task that is deleted, restored or in another project
    since, or whose project is deleted.
    """
    if not (special or story):
        return []
    project_id, asked = project_of(event), [only] if only else None
    people = [user_id for user_id in members.ids_of(project_id, asked, since=event.at) if user_id != event.actor_id]
    told = {user_id: what for user_id in people if (what := special.get(user_id, story))}
    task = told and Task.objects(id=event.subject_id, project_id=project_id).first()
    if not task or bool(task.deleted_at) != (event.kind == "task.deleted") or not _is_alive(project_id):
        return []
    profiles = users.public_profiles([*told, *filter(None, [event.actor_id])])
    by = _name(profiles, event.actor_id)
    return [
        _notice(event, task, profiles[user_id], what, by, user_id, user_id in special)
        for user_id, what in told.items()
        if user_id in profiles and _holds_still(what, user_id, task)
    ]


def _holds_still(story: _Story, user_id: ObjectId, task: Task) -> bool:
    """Return who was assigned may not be any more."""
    return story is not _ASSIGNED or user_id in task.assignee_ids


def _notice(
    event: Event, task: Task, card: dict[str, str], what: _Story, by: str, user_id: ObjectId, involved: bool
) -> Notice:
    return Notice(
        user_id,
        card,
        f"[{task.key}] {one_line(task.title)}",
        _text(task, what, by),
        what.kind,
        task.project_id,
        task.id,
        event.actor_id,
        direct=what.direct,
        involved=involved or (what.kind != "task.created" and user_id in _involved(task)),
    )


def _involved(task: Task) -> set[ObjectId]:
    return {*task.assignee_ids, *task.watcher_ids, task.reporter_id}


def _text(task: Task, story: _Story, by: str) -> str:
    first = f"{by} {story.headline} {task.key}{' to you' if story.kind == 'task.assigned' else ''}:"
    return f"{first}\n\n    {words(task.title)}\n\n{story.text}{url(f'/tasks/{task.id}')}\n"


def _name(profiles: dict[ObjectId, dict[str, str]], user_id: ObjectId | None) -> str:
    return words(profiles.get(user_id, {}).get("name", "Someone")) if user_id else "Someone"
