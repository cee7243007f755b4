"""Whether the books fit: events without gaps, counters, counts of tasks, contents of attachments, orphans."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pymongo
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Counter, Event
from taskmanager.core.storage import database
from taskmanager.features.accounts import orphans
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.attachments.storage import CHUNK
from taskmanager.features.insights.counts.repair import Recount
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User

MAX_SECONDS = 24 * 3600.0  # the timeout of a client is for requests
MAX_FINDINGS = 20  # of one kind


def verify() -> dict[str, list[str]]:
    """Return {check: what is wrong}, at most MAX_FINDINGS of each; the service may run meanwhile."""
    with pymongo.timeout(MAX_SECONDS):
        return {name: _first(check()) for name, check in CHECKS.items()}


def _first(found: Iterator[str]) -> list[str]:
    return [sentence for sentence, _ in zip(found, range(MAX_FINDINGS), strict=False)]


def _gaps() -> Iterator[str]:
    """Find streams in which numbers of events are missing that retention cannot have removed."""
    chosen = settings.current()
    since = now() - timedelta(days=min(chosen.event_days, chosen.audit_days))
    group = {"_id": "$stream", "first": {"$min": "$seq"}, "last": {"$max": "$seq"}, "number": {"$sum": 1}}
    for row in _aggregate(Event, [{"$match": {"at": {"$gt": since}}}, {"$group": group}]):
        missing = row["last"] - row["first"] + 1 - row["number"]
        if missing:
            yield f"{row['_id']}: {missing:+} events between {row['first']} and {row['last']}"


def _counters() -> Iterator[str]:
    """Find counters that are behind the events of their stream."""
    name = Counter._get_collection_name()
    steps: list[Mapping[str, Any]] = [
        {"$group": {"_id": "$stream", "last": {"$max": "$seq"}}},
        {
            "$lookup": {
                "from": name,
                "localField": "_id",
                "foreignField": "_id",
                "as": "known",
            }
        },
        {"$match": {"$expr": {"$lt": [{"$ifNull": [{"$first": "$known.seq"}, 0]}, "$last"]}}},
    ]
    for row in _aggregate(Event, steps):
        yield f"{row['_id']}: event {row['last']} is later than its counter"


def _counts() -> Iterator[str]:
    recount = Recount.of_service()
    for project_id in recount.project_ids():
        numbers = recount.differences(project_id).numbers
        if numbers:
            yield f"project {project_id}: {len(numbers)} counts are wrong; run `taskmanager counters repair`"


def _contents() -> Iterator[str]:
    """Find attachments whose content is not in MongoDB; contents in a folder are read one by one by no one here."""
    if settings.current().attachment_store != "gridfs":
        return
    chunks = database.database()["attachments.chunks"]
    for row in Attachment._get_collection().find({}, {"content_id": 1, "size": 1}):
        expected = -(-row["size"] // CHUNK)
        if chunks.count_documents({"files_id": row["content_id"]}) < expected:
            yield f"attachment {row['_id']}: its content is incomplete"


def _orphans() -> Iterator[str]:
    for dependent in orphans.walked():
        alive = {"deleted_at": None} if dependent.owner is User else {}
        known = {
            "from": dependent.owner._get_collection_name(),
            "localField": dependent.field,
            "foreignField": "_id",
            "pipeline": [{"$match": alive}, {"$project": {"_id": 1}}],
            "as": "owner",
        }
        steps = [
            {"$match": {dependent.field: {"$type": "objectId"}, **dependent.where}},
            {"$lookup": known},
            {"$match": {"owner": []}},
            {"$limit": MAX_FINDINGS},
        ]
        for row in _aggregate(dependent.model, steps):
            yield f"{dependent.name}: {row['_id']} belongs to {row[dependent.field]}, which does not exist"


def _tasks() -> Iterator[str]:
    """Find tasks without a project, and keys that two tasks of a project have."""
    known = {row["_id"] for row in Project._get_collection().find({}, {"_id": 1})}
    steps = [{"$group": {"_id": "$project_id", "number": {"$sum": 1}}}]
    for row in _aggregate(Task, steps):
        if not isinstance(row["_id"], ObjectId) or row["_id"] not in known:
            yield f"project {row['_id']}: {row['number']} tasks without their project"
    twins = [{"$group": {"_id": ["$project_id", "$key"], "number": {"$sum": 1}}}, {"$match": {"number": {"$gt": 1}}}]
    for row in _aggregate(Task, [{"$match": {"key": {"$type": "string"}}}, *twins]):
        yield f"project {row['_id'][0]}: {row['number']} tasks have the key {row['_id'][1]}"


def _aggregate(model: Any, steps: Any) -> Iterator[dict[str, Any]]:
    yield from model._get_collection().aggregate(steps, allowDiskUse=True)


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "events": _gaps,
    "counters": _counters,
    "counts": _counts,
    "tasks": _tasks,
    "contents": _contents,
    "orphans": _orphans,
}
