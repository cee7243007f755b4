"""Indexes of relations, subtasks, former keys and what went into the trash together."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


def _there(field: str) -> dict[str, Any]:
    return {"partialFilterExpression": {field: {"$exists": True}}}


INDEXES = {
    "tasks": [
        _index("parent_id", "position", "_id", **_there("parent_id")),
        _index("trashed_with", **_there("trashed_with")),
        _index("former_keys", partialFilterExpression={"former_keys": {"$gt": ""}}),
    ],
    "relations": [
        _index("from_id", "to_id", "kind", unique=True),
        _index("to_id", "kind"),
    ],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
