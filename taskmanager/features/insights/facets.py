"""Facets: the number of tasks by status, assignee, label and so on, for a filter."""

from typing import Any

from bson import ObjectId

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.listing import matching
from taskmanager.features.tasks.models import PRIORITIES

MAX_VALUES = 100  # of one facet: the most frequent ones

_SINGLE = {"status": "status", "status_group": "status_group", "priority": "priority", "project": "project_id"}
_MANY = {"assignee": "assignee_ids", "label": "label_ids"}
NAMES = (*_SINGLE, *_MANY)


def count_values(
    *, actor: Actor, project_id: ObjectId | None = None, condition: GivenFilter | None = None
) -> dict[str, list[Row]]:
    """Return the values of each facet with their number of tasks: {facet: [{value, count}]}, the most frequent first.

    The value of tasks without assignee or label is None. Raises NotFound, TooMany, Unavailable (`query.too_slow`).
    """
    parts: dict[str, Any] = {name: _group(f"${field}") for name, field in _SINGLE.items()}
    for name, field in _MANY.items():
        unwind = {"$unwind": {"path": f"${field}", "preserveNullAndEmptyArrays": True}}
        parts[name] = [unwind, *_group(f"${field}")]
    tasks = matching(condition, actor, project_id)
    with expensive(actor):
        found = tasks.piped({"$facet": parts})[0]
    return {name: [_row(name, row) for row in rows] for name, rows in found.items()}


def _group(value: str) -> list[Row]:
    return [
        {"$group": {"_id": value, "count": {"$sum": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MAX_VALUES},
    ]


def _row(name: str, row: Row) -> Row:
    value = row["_id"]
    if name == "priority":
        value = PRIORITIES[value]
    return {"value": str(value) if isinstance(value, ObjectId) else value, "count": row["count"]}
