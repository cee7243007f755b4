"""Facets: the number of tasks by status, assignee, label and so on, for a filter."""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.features.insights.counts import reading
from taskmanager.features.insights.counts.kept import Kept
from taskmanager.features.insights.matches import counted_parts, relation
from taskmanager.features.tasks.counts.numbers import NONE
from taskmanager.features.tasks.listing import matching, scope
from taskmanager.features.tasks.models import PRIORITIES

MAX_VALUES = 100  # of one facet: the most frequent ones

_SINGLE = {"status": "status", "status_group": "status_group", "priority": "priority", "project": "project_id"}
_MANY = {"assignee": "assignee_ids", "label": "label_ids"}
_PRIORITIES = dict(enumerate(PRIORITIES))  # a later release may know more
NAMES = (*_SINGLE, *_MANY)

_kept = Kept[dict[str, Any]]("facets")


def count_values(
    *, actor: Actor, project_id: ObjectId | None = None, condition: GivenFilter | None = None
) -> dict[str, Any]:
    """Return the values of each facet with their number of tasks: {facet: [{value, count}]}, the most frequent first.

    The value of tasks without assignee or label is None. `relation` is `gte` when more than MAX_COUNTED tasks match:
    then only so many are counted. Raises NotFound, Invalid; with a filter also TooMany, Unavailable (`query.too_slow`).
    """
    if condition is None:
        return _kept.of(reading.overall(scope(actor, project_id)), (), _stored)
    return of_matching(condition, actor, project_id)


def of_matching(condition: GivenFilter | None, actor: Actor, project_id: ObjectId | None) -> dict[str, Any]:
    """Return the facets of the tasks that match a filter, by reading at most MAX_COUNTED of them."""
    parts: dict[str, Any] = {name: _group(f"${field}") for name, field in _SINGLE.items()}
    for name, field in _MANY.items():
        unwind = {"$unwind": {"path": f"${field}", "preserveNullAndEmptyArrays": True}}
        parts[name] = [unwind, *_group(f"${field}")]
    found = counted_parts(matching(condition, actor, project_id), parts, actor)
    found["priority"] = [row for row in found["priority"] if row["_id"] in _PRIORITIES]
    facets = {name: [_row(name, row["_id"], row["count"]) for row in found[name]] for name in parts}
    return facets | {"relation": relation(found)}


def _stored(rows: list[Row]) -> dict[str, Any]:
    by_status = reading.statuses(rows)
    statuses: dict[str, int] = {}
    groups: dict[str, int] = {}
    for (status, group), number in by_status.items():
        statuses[status] = statuses.get(status, 0) + number
        groups[group] = groups.get(group, 0) + number
    found: dict[str, Mapping[Any, int]] = {
        "status": statuses,
        "status_group": groups,
        "priority": _priorities(reading.merged(rows, "priority")),
        "project": {str(row["project_id"]): sum(reading.statuses([row]).values()) for row in rows},
        "assignee": {person: numbers["tasks"] for person, numbers in reading.people(rows).items()},
        "label": reading.merged(rows, "label"),
    }
    return {"relation": "eq"} | {name: _most_frequent(name, found[name]) for name in NAMES}


def _priorities(numbers: Mapping[str, int]) -> Mapping[Any, int]:
    return {rank: numbers[str(rank)] for rank in _PRIORITIES if numbers.get(str(rank))}


def _most_frequent(name: str, numbers: Mapping[Any, int]) -> list[Row]:
    """Return the rows of a facet in the order of MongoDB: null before all texts."""
    known = [(number, None if value == NONE else value) for value, number in numbers.items() if number]
    known.sort(key=lambda one: (-one[0], one[1] is not None, one[1]))
    return [_row(name, value, number) for number, value in known[:MAX_VALUES]]


def _group(value: str) -> list[Row]:
    return [
        {"$group": {"_id": value, "count": {"$sum": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MAX_VALUES},
    ]


def _row(name: str, value: Any, count: int) -> Row:
    if name == "priority":
        value = _PRIORITIES[value]
    return {"value": str(value) if isinstance(value, ObjectId) else value, "count": count}
