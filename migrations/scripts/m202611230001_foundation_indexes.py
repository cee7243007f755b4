"""The indexes of accounts, projects, tasks, the event log, deliveries and idempotency keys.

Every list has an index whose last part is `_id`, so that a page begins where the last one ended. Lists leave
out what is in the trash, so these indexes are partial on it: a trashed row costs a list nothing.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_ALIVE = {"deleted_at": None}


def _list(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


INDEXES = {
    "users": [_list("email", unique=True)],
    "sessions": [_list("user_id", "_id"), _list("expires_at", expireAfterSeconds=30 * 24 * 3600)],
    "projects": [_list("key", unique=True)],
    "memberships": [_list("project_id", "user_id", unique=True), _list("project_id", "_id"), _list("user_id")],
    "tasks": [
        _list("key", unique=True),
        _list("project_id", "_id", partialFilterExpression=_ALIVE),
        *[
            _list("project_id", field, "_id", partialFilterExpression=_ALIVE)
            for field in ("updated_at", "due_at", "priority")
        ],
    ],
    "events": [
        _list("stream", "seq", unique=True),
        _list("subject_id", "_id"),
        IndexModel(
            [("due_at", ASCENDING), ("seq", ASCENDING)],
            name="relay",
            partialFilterExpression={"due_at": {"$exists": True}},
        ),
        _list("died_at", partialFilterExpression={"died_at": {"$exists": True}}),
    ],
    "deliveries": [_list("event_id", "channel", "recipient_id", unique=True)],
    "idempotency_keys": [_list("expires_at", expireAfterSeconds=0)],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
