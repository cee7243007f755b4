"""Indexes of labels, custom fields, projects under others and statuses; which dues are times on the wall."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


INDEXES = {
    "labels": [_index("project_id", "name_key", unique=True), _index("project_id", "_id")],
    "custom_fields": [_index("project_id", "key", unique=True), _index("project_id", "_id")],
    "projects": [_index("parent_id", partialFilterExpression={"parent_id": {"$exists": True}})],
    "tasks": [_index("project_id", "status")],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes and fill in what is missing; what is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
    floating = {"due": {"$exists": True, "$not": {"$regex": "T.*(Z|[+-][0-9]{2}:[0-9]{2})$"}}}
    database["tasks"].update_many(floating, {"$set": {"due_floating": True}})
