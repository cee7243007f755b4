"""The indexes of API tokens and of the list of service accounts."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

INDEXES = {
    "api_tokens": [IndexModel([("user_id", ASCENDING), ("_id", ASCENDING)], name="user_id__id")],
    "users": [
        IndexModel(
            [("kind", ASCENDING), ("_id", ASCENDING)],
            name="service_accounts",
            partialFilterExpression={"kind": "service"},
        )
    ],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
