"""Figures for operators: bytes of collections and projects, and the routes of this release."""

from typing import Any

import pymongo
from flask import Flask

from taskmanager.api import service_guard
from taskmanager.core import registry
from taskmanager.core.storage import database
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task

MAX_SECONDS = 24 * 3600.0  # the timeout of a client is for requests
MAX_PROJECTS = 20
_SCALED = {"documents": "count", "data_bytes": "size", "disk_bytes": "storageSize", "index_bytes": "totalIndexSize"}
_OUTSIDE = "api"  # of the routes that no feature has


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
    project = Project._get_collection().find_one({"_id": row["_id"]}, {"key": 1}) or {}
    tasks = Task._get_collection().find({"project_id": row["_id"]}, {"_id": 1})
    files = {"$match": {"task_id": {"$in": [task["_id"] for task in tasks]}}}
    total = list(Attachment._get_collection().aggregate([files, {"$group": {"_id": None, "n": {"$sum": "$size"}}}]))
    return {
        "key": project.get("key", ""),
        "id": str(row["_id"]),
        "tasks": row["tasks"],
        "task_bytes": row["task_bytes"],
        "attachment_bytes": total[0]["n"] if total else 0,
    }


def routes(app: Flask) -> list[dict[str, str]]:
    """Return {method, rule, endpoint, feature, service} of each route of an application, by rule."""
    owners = {
        f"{prefix}{blueprint.name}": feature.name
        for feature in registry.current().features
        for blueprint in feature.blueprints
        for prefix in (f"x_{feature.name}_" if feature.is_plugin else "v1_",)
    }
    found = []
    for rule in app.url_map.iter_rules():
        feature = owners.get(rule.endpoint.partition(".")[0], _OUTSIDE)
        service = service_guard.service_of(app, rule.endpoint)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            row = {"method": method, "rule": rule.rule, "endpoint": rule.endpoint}
            found.append(row | {"feature": feature, "service": service})
    return sorted(found, key=lambda row: (row["rule"], row["method"]))
