"""Events end after a number of days, and what they hold of purged tasks goes.

The index has events that all listeners have finished, the oldest first. Tasks that were purged before this release are
forgotten now: their `task.purged` is handed out again, to the listeners that are new.
"""

from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_FINISHED = {"due_at": None, "died_at": None}
_MONTH_SECONDS = 30 * 24 * 3600  # an API token that has ended is listed for so long
_LISTENERS = ["notifications.purged", "tasks.forgetting"]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes, have purged tasks forgotten, drop the job that this replaces. Safe to run twice."""
    by_age = [("audited", ASCENDING), ("at", ASCENDING), ("_id", ASCENDING)]
    database["events"].create_indexes([IndexModel(by_age, name="retention", partialFilterExpression=_FINISHED)])
    database["notifications"].create_indexes([_where_there("task_id"), _where_there("actor_id")])
    of_content = IndexModel([("content_id", ASCENDING)], name="content_id")
    database["attachments"].create_indexes([of_content])
    ended = IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=_MONTH_SECONDS)
    database["api_tokens"].create_indexes([ended])
    again = {"audited": True, "pending": _LISTENERS, "due_at": datetime.now(UTC), "attempts": 0}
    database["events"].update_many({"kind": "task.purged", "audited": None, "due_at": None}, {"$set": again})
    database["schedules"].delete_one({"_id": "audit.retention"})


def _where_there(field: str) -> IndexModel:
    return IndexModel([(field, ASCENDING)], name=field, partialFilterExpression={field: {"$exists": True}})
