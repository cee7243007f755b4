"""Indexes of invitations that name an account by its id, beside those that name an address.

An account has one pending invitation to a project, as an address has. Those to one address or account in one project
are counted over time: a user who does not answer, or refuses, is not asked without end.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_OLD = "one_pending"


def _list(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], **options)


def _pending(field: str) -> dict[str, Any]:
    return {"state": "pending", field: {"$exists": True}}


INDEXES = [
    _list("project_id", "email", name="one_of_address", unique=True, partialFilterExpression=_pending("email")),
    _list("project_id", "user_id", name="one_of_account", unique=True, partialFilterExpression=_pending("user_id")),
    _list("user_id", "project_id", "_id", name="of_an_account", partialFilterExpression=_pending("user_id")),
    _list("project_id", "email", "user_id", "created_at", name="of_one_in_project"),
    _list("invited_by", "email", "user_id", name="by_one_to_one", partialFilterExpression={"state": "pending"}),
]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make the indexes, then drop the one that knows addresses only; what is done already is left alone."""
    database["invitations"].create_indexes(INDEXES)
    if _OLD in database["invitations"].index_information():
        database["invitations"].drop_index(_OLD)
