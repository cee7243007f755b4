"""Indexes of comments, attachments and their contents."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


INDEXES = {
    "comments": [_index("task_id", "_id"), _index("author_id", "_id")],
    "attachments": [_index("task_id", "_id")],
    "attachments.chunks": [_index("files_id", "n", unique=True)],
    "loose_contents": [_index("created_at")],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
