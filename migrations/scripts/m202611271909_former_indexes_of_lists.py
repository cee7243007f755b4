"""The indexes in which each order of lists had all conditions of filters behind it are dropped."""

from typing import Any

from pymongo.database import Database

CONTRACT = True  # this release does not read them; the release before names them in its lists of tasks
REPLACED = (
    "list_created_at",
    "list_updated_at",
    "list_due_at",
    "list_priority",
    "list_position",
    "list_key_order",
    "list_title",
    "list_due_at_priority",
    "list_due_at_priority_opposed",
    "list_priority_due_at",
    "list_priority_due_at_opposed",
)


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Drop the indexes; one that is gone already is no error."""
    for name in database["tasks"].index_information().keys() & set(REPLACED):
        database["tasks"].drop_index(name)
