"""Lists are sorted by names and titles as people order them, and by keys as their numbers are.

Indexes of texts have the collation of the questions; keys are stored in a form that code points order.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.database import Database

from taskmanager.core.storage.orders import COLLATION, natural_key

_BATCH = 1000


def _index(*fields: str, name: str | None = None, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name=name or "_".join(fields) + "_collated", **options)


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Fill in the forms of keys and create the indexes; what is there already is left alone."""
    for collection in ("tasks", "projects"):
        _fill(database[collection])
    alive = {"deleted_at": None}
    database["tasks"].create_indexes(
        [
            _index("project_id", "key_order", "_id", name="list_key_order", partialFilterExpression=alive),
            _index(
                "project_id",
                "title",
                "_id",
                name="list_title",
                partialFilterExpression=alive,
                collation=COLLATION,
            ),
        ]
    )
    database["labels"].create_indexes([_index("project_id", "name", "_id", collation=COLLATION)])
    database["users"].create_indexes([_index("name", "_id", collation=COLLATION)])


def _fill(collection: Any) -> None:
    updates = []
    for row in collection.find({"key_order": {"$exists": False}, "key": {"$exists": True}}, {"key": 1}):
        same = {"_id": row["_id"], "key": row["key"]}  # a task that moves meanwhile gets its form with its new key
        updates.append(UpdateOne(same, {"$set": {"key_order": natural_key(row["key"])}}))
        if len(updates) == _BATCH:
            collection.bulk_write(updates, ordered=False)
            updates = []
    if updates:
        collection.bulk_write(updates, ordered=False)
