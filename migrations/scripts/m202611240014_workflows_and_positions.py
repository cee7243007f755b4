"""Tasks get the group of their status and a position; projects get a position and the counter of positions.

Until now there was one workflow, and the order of creation is the order by hand to begin with.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.database import Database

from taskmanager.core import fractional

_GROUPS = {"open": "backlog", "in_progress": "active", "done": "done", "cancelled": "cancelled"}
_BATCH = 1000


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Fill in what is missing, in batches; what is there already is left alone."""
    for status, group in _GROUPS.items():
        missing = {"status": status, "status_group": {"$exists": False}}
        database["tasks"].update_many(missing, {"$set": {"status_group": group}})
    _fill(database["tasks"], {"key": 1}, lambda row: {"position": fractional.at(int(row["key"].rsplit("-", 1)[1]))})
    _fill(
        database["projects"],
        {"created_at": 1, "last_number": 1},
        lambda row: {
            "position": fractional.at(int(row["created_at"].timestamp() * 1000)),
            "last_position": row["last_number"],
        },
    )
    database["tasks"].create_indexes(
        [
            IndexModel(
                [("project_id", ASCENDING), ("position", ASCENDING), ("_id", ASCENDING)],
                name="project_id_position__id",
                partialFilterExpression={"deleted_at": None},
            )
        ]
    )


def _fill(collection: Any, fields: dict[str, int], values: Any) -> None:
    updates = []
    for row in collection.find({"position": {"$exists": False}}, fields):
        updates.append(UpdateOne({"_id": row["_id"]}, {"$set": values(row)}))
        if len(updates) == _BATCH:
            collection.bulk_write(updates)
            updates = []
    if updates:
        collection.bulk_write(updates)
