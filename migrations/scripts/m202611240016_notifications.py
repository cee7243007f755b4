"""Indexes of deliveries, of what waits to be read, and of what people want to hear of.

A delivery that is pending has a `due_at`: what was made before this release and never sent gets one.
"""

from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


def _where(field: str, **more: Any) -> dict[str, Any]:
    return {"partialFilterExpression": {field: {"$exists": True}} | more}


INDEXES = {
    "deliveries": [
        _index("due_at", **_where("due_at")),
        _index("bundle", **_where("bundle", state="pending")),
        _index("led_by", **_where("led_by")),
        _index("recipient_id", "_id"),
        _index("state", "_id"),
        _index("expires_at", expireAfterSeconds=0),
    ],
    "notifications": [
        _index("user_id", "event_id", unique=True),
        _index("user_id", "_id"),
        _index("user_id", "read_at", "_id"),
        _index("expires_at", expireAfterSeconds=0),
    ],
    "webhooks": [_index("project_id", "_id"), _index("owner_id", "_id")],
    "inboxes": [_index("user_id", unique=True)],
    "phones": [_index("user_id", unique=True)],
    "preferences": [_index("user_id", unique=True)],
    "project_preferences": [_index("user_id", "project_id", unique=True), _index("project_id")],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
    moment = datetime.now(UTC)
    waiting = {"state": "pending", "due_at": {"$exists": False}, "led_by": {"$exists": False}}
    database["deliveries"].update_many(waiting, {"$set": {"due_at": moment}})
