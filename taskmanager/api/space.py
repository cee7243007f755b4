"""The bytes of collections and of projects, for operators."""

from typing import Any

import pymongo

from taskmanager.core.storage import database
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task

MAX_SECONDS = 24 * 3600.0  # the timeout of a client is for requests
MAX_PROJECTS = 20
_SCALED = {"documents": "count", "data_bytes": "size", "disk_bytes": "storageSize", "index_bytes": "totalIndexSize"}


def collections() -> list[dict[str, Any]]:
    """Return {collection, documents, data_bytes, disk_bytes, index_bytes} for each collection, largest first."""
    found = []
    for name in database.database().list_collection_names():
        if not name.startswith("system."):
            stats = database.database().command("collStats", name)
            found.append({"collection": name} | {ours: stats.get(theirs, 0) for ours, theirs in _SCALED.items()})
    return sorted(found, key=lambda row: -(row["data_bytes"] + row["index_bytes"]))


def projects() -> list[dict[str, Any]]:
    """Return {key, id, tasks, task_bytes, attachment_bytes} of the projects with most tasks."""
    with pymongo.timeout(MAX_SECONDS):
        sizes = {"_id": "$project_id", "tasks": {"$sum": 1}, "task_bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}
        rows = list(
            Task._get_collection().aggregate(
                [{"$group": sizes}, {"$sort": {"tasks": -1}}, {"$limit": MAX_PROJECTS}], allowDiskUse=True
            )
        )
        return [_project(row) for row in rows]


def _project(row: dict[str, Any]) -> dict[str, Any]:
    project = Project._get_collection().find_one({"_id": row["_id"]}, {"key": 1, "attachment_bytes": 1}) or {}
    return {
        "key": project.get("key", ""),
        "id": str(row["_id"]),
        "tasks": row["tasks"],
        "task_bytes": row["task_bytes"],
        "attachment_bytes": project.get("attachment_bytes", 0),
    }
