"""Accounts are found by administrators: what they are found by, its index, and that of roles."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_NAME = {"$toLower": "$name"}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Fill in what accounts are found by where it is missing, then create the indexes; safe to run twice."""
    words = {"$setUnion": [["$email", _NAME], {"$split": [_NAME, " "]}]}
    database["users"].update_many({"search": {"$exists": False}}, [{"$set": {"search": words}}])
    database["users"].create_indexes(
        [
            IndexModel([("search", ASCENDING)], name="search"),
            IndexModel([("role", ASCENDING), ("_id", ASCENDING)], name="role__id"),
        ]
    )
