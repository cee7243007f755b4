"""An account has one second factor."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the index; one that is there already is left alone."""
    database["second_factors"].create_indexes([IndexModel([("user_id", ASCENDING)], name="user_id", unique=True)])
