"""Indexes of tasks by what lists are sorted by, and by what they are filtered by.

Each order has an index `(project, order)`; each selective condition has one of its own. The indexes before had all
conditions behind each order, with a list of people and labels in it: 3.5 entries a task in each of ten indexes, and a
rare condition read the whole project. MongoDB chooses between both kinds (see `tasks.filtering.pages`).
"""

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

from taskmanager.core.storage.orders import COLLATION

EXPAND = True  # the indexes of the release before stay until the next migration of indexes
_ALIVE = {"deleted_at": None}


def _index(name: str, *fields: str, there: str | None = None, **options: Any) -> IndexModel:
    where = _ALIVE | ({there: {"$exists": True}} if there else {})
    keys = [(field.removeprefix("-"), DESCENDING if field[0] == "-" else ASCENDING) for field in fields]
    return IndexModel(keys, name=name, partialFilterExpression=where, **options)


def _order(*fields: str, name: str = "", **options: Any) -> IndexModel:
    """Return the index of an order. The group of the status is behind it, so that lists of open tasks pass over others.

    It also makes the index another one than those of earlier releases: MongoDB refuses the same under two names.
    """
    last = "-_id" if fields[-1][0] == "-" else "_id"
    return _index(f"order_{name or '_'.join(fields)}", "project_id", *fields, last, "status_group", **options)


INDEXES = [
    _order("created_at"),
    _order("updated_at"),
    _order("due_at"),
    _order("priority"),
    _order("position"),
    _order("key_order"),
    _order("title", collation=COLLATION),
    _order("due_at", "priority"),
    _order("due_at", "-priority", name="due_at_priority_opposed"),
    _order("priority", "due_at"),
    _order("priority", "-due_at", name="priority_due_at_opposed"),
    # a person or a label: alone, and in the orders in which long lists of one person are read
    _index("tags", "marks", "project_id", "status_group", "due_at"),
    _index("tags_created_at", "marks", "created_at", "_id", "project_id"),
    _index("tags_updated_at", "marks", "updated_at", "_id", "project_id"),
    _index("tags_due_at", "marks", "due_at", "_id", "project_id"),
    _index("tags_priority_due_at", "marks", "priority", "due_at", "_id", "project_id"),
    _index("reporter", "reporter_id", "project_id"),
    # conditions on other fields; that of the status has an index already (`project_id_status`), and ranges of due_at,
    # created_at and updated_at are read from the orders
    _index("status_group", "project_id", "status_group"),
    _index("completed_at", "project_id", "completed_at", there="completed_at"),
    _index("parent", "project_id", "parent_id", there="parent_id"),
    # the same for lists by title: texts of a query are compared in the collation of its order
    _index("tags_collated", "marks", "project_id", "status_group", collation=COLLATION),
    _index("status_collated", "project_id", "status", collation=COLLATION),
    _index("status_group_collated", "project_id", "status_group", collation=COLLATION),
]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes; one that is there already is left alone."""
    for index in INDEXES:
        database["tasks"].create_indexes([index])
