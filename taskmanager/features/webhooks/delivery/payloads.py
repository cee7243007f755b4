"""The bodies of webhook requests, `{type, timestamp, data}` as in Standard Webhooks; the same at each attempt."""

from typing import Any

import orjson
from bson import ObjectId

from taskmanager.core.clock import iso, now
from taskmanager.core.events.log import Event, plain, project_of
from taskmanager.features.comments.models import Comment
from taskmanager.features.tasks.activity.service import exposed_changes
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.schemas import TASK
from taskmanager.features.webhooks.kinds import KINDS, SENT_DATA, TEST

MAX_BYTES = 256 * 1024


def build(event: Event) -> str:
    """Return the body of an event as JSON, with its task and comment in their present state.

    A body over MAX_BYTES has `cut: true` in place of them and of the changes.
    """
    kind = KINDS.get(event.kind)
    of_task = kind is not None and kind.of_task
    sent = (*SENT_DATA, *(kind.data if kind else ()))
    data: dict[str, Any] = {
        "event_id": str(event.id),
        "seq": event.seq,
        "actor_id": event.actor_id and str(event.actor_id),
        "project_id": str(project_of(event)),
        "subject_id": event.subject_id and str(event.subject_id),
        **{name: plain(event.data[name]) for name in sent if name in event.data},
    }
    if of_task and isinstance(event.data.get("changes"), dict):
        data["changes"] = {field: list(pair.values()) for field, pair in exposed_changes(event.data["changes"]).items()}
    text = _text(event.kind, iso(event.at), data | (_task(event) if of_task else {}))
    if len(text.encode()) <= MAX_BYTES:
        return text
    return _text(event.kind, iso(event.at), {name: data[name] for name in data if name != "changes"} | {"cut": True})


def build_test(webhook_id: ObjectId) -> str:
    """Return the body of a test."""
    return _text(TEST, iso(now()), {"webhook_id": str(webhook_id)})


def _task(event: Event) -> dict[str, Any]:
    """Return the task and the comment of an event; nothing when the event is erased or the task is elsewhere now."""
    if event.forgotten:
        return {}
    row = Task.objects(id=event.subject_id, project_id=project_of(event)).as_pymongo().first()
    return {"task": TASK.dump(row)} | _comment(event) if row else {}


def _comment(event: Event) -> dict[str, Any]:
    comment = Comment.objects(id=event.data["comment_id"]).first() if "comment_id" in event.data else None
    if comment is None:
        return {}
    author = str(comment.author_id)
    return {
        "comment": {"id": str(comment.id), "author_id": author, "text": comment.text, "at": iso(comment.created_at)}
    }


def _text(kind: str, timestamp: str, data: dict[str, Any]) -> str:
    return orjson.dumps({"type": kind, "timestamp": timestamp, "data": data}).decode()
