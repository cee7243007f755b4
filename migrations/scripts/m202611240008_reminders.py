"""Indexes of reminders: of a person for a task, of a person, and those that are to fire."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    database["reminders"].create_indexes(
        [
            _index("task_id", "user_id", "_id"),
            _index("user_id", "_id"),
            _index("fire_at", partialFilterExpression={"fire_at": {"$exists": True}}),
        ]
    )
