"""Filters of views and webhooks remember which labels they name, so that they survive the renaming of these.

What names nothing that exists gets no reference: a view then tells what is wrong, and a webhook is silent.
"""

from typing import Any

from bson import ObjectId
from pymongo.database import Database

from taskmanager.core.filters.nodes import Mention
from taskmanager.core.filters.parser import parse
from taskmanager.core.filters.tokens import FilterError
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.filtering.stored import named, reference


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Write the references of stored filters that have none; safe to run twice."""
    for name in ("views", "webhooks"):
        missing = {"filter": {"$exists": True}, "references": {"$exists": False}}
        for row in database[name].find(missing, {"filter": 1, "project_id": 1, "owner_id": 1}):
            if found := _references(database, row):
                same = {"_id": row["_id"], "filter": row["filter"], "references": {"$exists": False}}
                database[name].update_one(same, {"$set": {"references": found}})


def _references(database: Database[dict[str, Any]], row: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        mentions = [mention for mention in parse(row["filter"], FIELDS).mentions() if named(mention)]
    except FilterError:
        return []
    ids = {mention.given.column: _labels(database, row, mention) for mention in mentions}
    return [reference(mention, ids) for mention in mentions if ids[mention.given.column]]


def _labels(database: Database[dict[str, Any]], row: dict[str, Any], mention: Mention) -> list[ObjectId]:
    project_ids = [row["project_id"]] if row.get("project_id") else _projects(database, row["owner_id"])
    query = {"project_id": {"$in": project_ids}, "name_key": mention.named.key}
    return [label["_id"] for label in database["labels"].find(query, {"_id": 1})]


def _projects(database: Database[dict[str, Any]], user_id: ObjectId) -> list[ObjectId]:
    return [row["project_id"] for row in database["memberships"].find({"user_id": user_id}, {"project_id": 1})]
