"""An index by which what people were told of an event is found: it is renewed or withdrawn when that changes."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make the index; one that is there already is left alone."""
    database["notifications"].create_indexes([IndexModel([("event_id", ASCENDING)], name="event_id")])
