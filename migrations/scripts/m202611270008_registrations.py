"""Accounts that were asked for where registration must not tell which there are; what is not taken up expires."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make the index; one that is there already is left alone."""
    database["registrations"].create_indexes(
        [IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)]
    )
