"""Indexes for lists of tasks that are sorted by two fields."""

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

_PAIRS = (("due_at", "priority"), ("priority", "due_at"))


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes: read forwards and backwards, these four give all eight orders."""
    database["tasks"].create_indexes(
        [
            IndexModel(
                [("project_id", ASCENDING), (first, ASCENDING), (second, direction), ("_id", direction)],
                name=f"project_id_{first}_{second}_{direction}",
                partialFilterExpression={"deleted_at": None},
            )
            for first, second in _PAIRS
            for direction in (ASCENDING, DESCENDING)
        ]
    )
