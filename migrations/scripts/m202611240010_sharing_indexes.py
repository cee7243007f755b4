"""The indexes of invitations and share links.

An address has one pending invitation to a project. Invitations are deleted a month after they expired: they hold
addresses of people who may never have wanted to be known here.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_PENDING = {"state": "pending"}
_MONTH_SECONDS = 30 * 24 * 3600


def _list(*fields: str, **options: Any) -> IndexModel:
    name = options.pop("name", "_".join(fields))
    return IndexModel([(field, ASCENDING) for field in fields], name=name, **options)


INDEXES = {
    "invitations": [
        _list("project_id", "_id"),
        _list("project_id", "email", name="one_pending", unique=True, partialFilterExpression=_PENDING),
        _list("email", "project_id", "_id", name="of_an_address", partialFilterExpression=_PENDING),
        _list("expires_at", expireAfterSeconds=_MONTH_SECONDS),
    ],
    "share_links": [_list("project_id", "_id")],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
