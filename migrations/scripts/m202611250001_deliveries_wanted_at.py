"""When each waiting delivery was to be told first, for the age of the oldest that operators see; and indexes by which
the deliveries of one webhook are listed by state, and put off while it fails.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def _index(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


INDEXES = [
    _index("wanted_at", partialFilterExpression={"state": "pending"}),
    _index("recipient_id", "due_at", partialFilterExpression={"due_at": {"$exists": True}}),
    _index("recipient_id", "state", "_id"),
]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make the indexes; what waits already was wanted when it was made."""
    database["deliveries"].create_indexes(INDEXES)
    waits = {"state": "pending", "wanted_at": {"$exists": False}}
    database["deliveries"].update_many(waits, [{"$set": {"wanted_at": "$created_at"}}])
    database["webhooks"].update_many({"busy.0": {"$type": "date"}}, {"$set": {"busy": []}})
