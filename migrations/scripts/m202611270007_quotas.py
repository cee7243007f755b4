"""What projects and accounts use, counted where it is added from now on: tasks and bytes of attachments."""

from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.database import Database

_BATCH = 1000


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Count what there is; what was counted before is counted anew, also where nothing is left."""
    database["memberships"].create_indexes(
        [IndexModel([("user_id", ASCENDING), ("role", ASCENDING)], name="user_id_role")]
    )
    _keep(database["projects"], "task_count", _sums(database["tasks"], "$project_id", 1))
    _keep(database["projects"], "attachment_bytes", _sums(database["attachments"], "$task.project_id", "$size", *_TASK))
    _keep(database["users"], "attachment_bytes", _sums(database["attachments"], "$uploader_id", "$size"))


_TASK = (
    {"$lookup": {"from": "tasks", "localField": "task_id", "foreignField": "_id", "as": "task"}},
    {"$unwind": "$task"},
)


def _sums(collection: Any, key: str, value: Any, *stages: Any) -> Any:
    return collection.aggregate([*stages, {"$group": {"_id": key, "sum": {"$sum": value}}}], allowDiskUse=True)


def _keep(collection: Any, field: str, sums: Any) -> None:
    collection.update_many({field: {"$ne": 0}}, {"$set": {field: 0}})
    updates: list[UpdateOne] = []
    for row in sums:
        updates.append(UpdateOne({"_id": row["_id"]}, {"$set": {field: row["sum"]}}))
        if len(updates) == _BATCH:
            collection.bulk_write(updates, ordered=False)
            updates = []
    if updates:
        collection.bulk_write(updates, ordered=False)
