"""What webhooks are sent is stored once for an event, and forgotten when its deliveries are."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the index; deliveries that have a body of their own keep it until they are forgotten."""
    index = IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)
    database["webhook_bodies"].create_indexes([index])
