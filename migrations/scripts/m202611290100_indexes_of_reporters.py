"""Indexes for the tasks that one person has reported, in the orders of long lists, and by start and estimate.

The reporter had an index without an order, so that each page sorted all tasks that a person has ever reported. It is no
index tag: every task has one reporter, who never changes, so an index of the field itself has the same bytes as a
further tag, needs no change of any task, and has what the release before stores while it runs beside this one.
A condition on the start or the estimate had no index, and was compared with the tasks of the project.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

EXPAND = True
_ALIVE = {"deleted_at": None}


def _index(name: str, *fields: str, there: str | None = None) -> IndexModel:
    where = _ALIVE | ({there: {"$exists": True}} if there else {})
    return IndexModel([(field, ASCENDING) for field in fields], name=name, partialFilterExpression=where)


INDEXES = [
    _index("reporter_created_at", "reporter_id", "created_at", "_id", "project_id"),
    _index("reporter_updated_at", "reporter_id", "updated_at", "_id", "project_id"),
    _index("reporter_due_at", "reporter_id", "due_at", "_id", "project_id"),
    _index("reporter_priority_due_at", "reporter_id", "priority", "due_at", "_id", "project_id"),
    _index("start_at", "project_id", "start_at", there="start_at"),
    _index("estimate_minutes", "project_id", "estimate_minutes", there="estimate_minutes"),
]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; one that is there already is left alone."""
    for index in INDEXES:
        database["tasks"].create_indexes([index])
