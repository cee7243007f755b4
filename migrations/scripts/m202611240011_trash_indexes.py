"""Indexes of the trash: of a project, and over all for what is to be purged."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_TRASHED = {"deleted_at": {"$exists": True}}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    database["tasks"].create_indexes(
        [
            IndexModel([(field, ASCENDING) for field in fields], name=name, partialFilterExpression=_TRASHED)
            for name, fields in {
                "trash_of_project": ("project_id", "deleted_at", "_id"),
                "trash": ("deleted_at", "_id"),
            }.items()
        ]
    )
