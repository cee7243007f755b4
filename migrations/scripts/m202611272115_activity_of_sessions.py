"""Sessions are counted by the time of their last use, for the metrics of users that are active."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

CONTRACT = True  # this release works without it: it counts more slowly then


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make an index of the time of the last refresh, with the user, so that the count reads no documents."""
    index = IndexModel([("rotated_at", ASCENDING), ("user_id", ASCENDING)], name="rotated_at_user_id")
    database["sessions"].create_indexes([index])
