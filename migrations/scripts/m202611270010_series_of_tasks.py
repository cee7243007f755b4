"""An index of the tasks of a series: completing a task asks whether a later one of its series is open."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the index; one that is there already is left alone."""
    where = {"series_id": {"$exists": True}}
    database["tasks"].create_indexes(
        [IndexModel([("series_id", ASCENDING)], name="series_id", partialFilterExpression=where)]
    )
