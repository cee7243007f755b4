"""A person of a login provider is one account here."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    database["identities"].create_indexes(
        [
            IndexModel([("issuer", ASCENDING), ("subject", ASCENDING)], name="issuer_subject", unique=True),
            IndexModel([("user_id", ASCENDING)], name="user_id"),
        ]
    )
