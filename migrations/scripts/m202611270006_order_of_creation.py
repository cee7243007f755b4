"""Indexes for lists in the order of creation: by time, then by id.

Ids of two processes do not follow the time within a second, so an order by id alone shuffles what was made in a row.
Each index here replaces one that ended with the id only.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_AUDITED = {"audited": True}
_ALIVE = {"deleted_at": None}
_CREATED, _HAPPENED = ("created_at", "_id"), ("at", "seq", "_id")
_FILTERED = (  # see the migration of the indexes of lists: what tasks can be filtered by stands behind their order
    "marks",
    "status_group",
    "status",
    "priority",
    "reporter_id",
    "parent_id",
    "due_at",
    "due_floating",
    "start_at",
    "estimate_minutes",
    "completed_at",
    "updated_at",
)


def _index(*fields: str, **options: Any) -> IndexModel:
    name = options.pop("name", "_".join(fields))
    return IndexModel([(field, ASCENDING) for field in fields], name=name, **options)


def _of(*fields: str, **options: Any) -> IndexModel:
    return _index(*fields, *_CREATED, **options)


def _audit(*fields: str) -> IndexModel:
    name = "_".join(("audit", *fields, "at"))
    return _index(*fields, *_HAPPENED, name=name, partialFilterExpression=_AUDITED)


INDEXES = {
    "tasks": [_index("project_id", *_CREATED, *_FILTERED, name="list_created_at", partialFilterExpression=_ALIVE)],
    "events": [_index("subject_id", *_HAPPENED), _audit(), *map(_audit, ("kind", "actor_id", "subject_id"))],
    "users": [_of(), _of("role"), _of("kind", partialFilterExpression={"kind": "service"})],
    "sessions": [_of("user_id")],
    "api_tokens": [_of("user_id")],
    "memberships": [_of("project_id")],
    "invitations": [_of("project_id")],
    "share_links": [_of("project_id")],
    "labels": [_of("project_id")],
    "custom_fields": [_of("project_id")],
    "comments": [_of("task_id"), _of("author_id")],
    "attachments": [_of("task_id")],
    "reminders": [_of("task_id", "user_id")],
    "views": [_of("project_id", "owner_id")],
    "notifications": [_of("user_id"), _of("user_id", "read_at")],
    "deliveries": [_of("recipient_id"), _of("state"), _of("recipient_id", "state")],
    "webhooks": [_of("project_id"), _of("owner_id")],
}
REPLACED = {
    "tasks": ["list__id"],
    "events": ["subject_id__id", "audit", "audit_kind", "audit_actor_id", "audit_subject_id"],
    "users": ["role__id", "service_accounts"],
    "sessions": ["user_id__id"],
    "api_tokens": ["user_id__id"],
    "memberships": ["project_id__id"],
    "invitations": ["project_id__id"],
    "share_links": ["project_id__id"],
    "labels": ["project_id__id"],
    "custom_fields": ["project_id__id"],
    "comments": ["task_id__id", "author_id__id"],
    "attachments": ["task_id__id"],
    "reminders": ["task_id_user_id__id"],
    "views": ["project_id_owner_id__id"],
    "notifications": ["user_id__id", "user_id_read_at__id"],
    "deliveries": ["recipient_id__id", "state__id", "recipient_id_state__id"],
    "webhooks": ["project_id__id", "owner_id__id"],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes, then drop those that they replace; what is done already is left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
    for collection, names in REPLACED.items():
        for name in database[collection].index_information().keys() & set(names):
            database[collection].drop_index(name)
