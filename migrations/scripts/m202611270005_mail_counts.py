"""The counts of mails to an address end by themselves an hour after the last one was counted."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make the index; one that is there already is left alone."""
    database["mail_counts"].create_indexes([IndexModel([("until", ASCENDING)], name="until", expireAfterSeconds=0)])
