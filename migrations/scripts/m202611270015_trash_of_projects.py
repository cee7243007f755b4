"""Deleted projects free their keys, and are found by those who restore and purge them with all that they have.

A key is unique among the projects that are not deleted; that of a task within its project. The indexes by project are
what a purge finds its tokens, deliveries and notifications by.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    name = options.pop("name", "_".join(fields))
    return IndexModel([(field, ASCENDING) for field in fields], name=name, **options)


def _with(*fields: str, **options: Any) -> IndexModel:
    """Return an index of those that have the first field."""
    return _index(*fields, partialFilterExpression={fields[0]: {"$exists": True}}, **options)


INDEXES = {
    "projects": [
        _index("key", name="key_of_alive", unique=True, partialFilterExpression={"deleted_at": None}),
        _with("deleted_at", "_id", name="trash"),
        _with("purged_at", "_id"),
    ],
    "tasks": [
        _index("project_id", "key", unique=True),
        _index("key", "_id"),
        _with("trashed_with", "parent_id"),
        _with("purged_at", "_id"),
    ],
    "api_tokens": [_with("project_id")],
    "deliveries": [_with("project_id")],
    "notifications": [_with("project_id")],
}
REPLACED = {"projects": "key", "tasks": "key"}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes, then drop those that they replace; what is done already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
    for collection, name in REPLACED.items():
        if name in database[collection].index_information():
            database[collection].drop_index(name)
