"""The indexes of one-time tokens, failed logins and the audit log."""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_AUDITED = {"audited": True}


def _list(*fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name="_".join(fields), **options)


def _audit(field: str) -> IndexModel:
    keys = [(field, ASCENDING), ("_id", ASCENDING)]
    return IndexModel(keys, name=f"audit_{field}", partialFilterExpression=_AUDITED)


INDEXES = {
    "one_time_tokens": [_list("purpose", "subject_id"), _list("expires_at", expireAfterSeconds=7 * 24 * 3600)],
    "login_failures": [_list("account"), _list("expires_at", expireAfterSeconds=0)],
    "events": [
        IndexModel([("_id", ASCENDING), ("audited", ASCENDING)], name="audit", partialFilterExpression=_AUDITED),
        *[
            IndexModel(
                [(field, ASCENDING), ("_id", ASCENDING)], name=f"audit_{field}", partialFilterExpression=_AUDITED
            )
            for field in ("kind", "actor_id", "subject_id")
        ],
    ],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; an index that is there already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
