"""How the conditions of a filter can be answered by indexes of tasks.

A condition is NARROW when it has an index of its own that is read for a person or a label alone; INDEXED when
an index of each project has its field; FREE when it can only be compared with the tasks themselves, one after the
other, as free text can. A filter is as good as the best of the conditions that it joins with `and`, and as bad as the
worst of those that it joins with `or`.
"""

import math
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import bson
from bson import ObjectId

from taskmanager.core.storage.orders import Filter, Order, Row
from taskmanager.core.storage.parts import MAX_MERGED, scoped


class Selectivity(IntEnum):
    """How a filter can be answered, from the worst to the best."""

    FREE = 0
    INDEXED = 1
    NARROW = 2


_POINTS = frozenset({"$eq", "$in"})
_RANGES = _POINTS | {"$lt", "$lte", "$gt", "$gte"}


class _Index(NamedTuple):
    """How conditions on a stored field are answered: the operators of MongoDB, how well, and from which indexes.

    `name` is the index of each project that has the field, or that of people and labels; `collated` the one for orders
    of texts, where that is another one. Fields without them are read from an index that MongoDB chooses.
    """

    operators: frozenset[str]
    answers: Selectivity
    name: str = ""
    collated: str = ""


# Conditions that likely fewer tasks meet come first.
_INDEXES = {
    "parent_id": _Index(_RANGES, Selectivity.INDEXED, "parent"),
    "start_at": _Index(_RANGES, Selectivity.INDEXED, "start_at"),
    "estimate_minutes": _Index(_RANGES, Selectivity.INDEXED, "estimate_minutes"),
    "completed_at": _Index(_RANGES, Selectivity.INDEXED, "completed_at"),
    "created_at": _Index(_RANGES, Selectivity.INDEXED, "order_created_at"),
    "updated_at": _Index(_RANGES, Selectivity.INDEXED, "order_updated_at"),
    "due_at": _Index(_RANGES, Selectivity.INDEXED, "order_due_at"),
    "priority": _Index(_RANGES, Selectivity.INDEXED, "order_priority"),
    "status": _Index(_POINTS, Selectivity.INDEXED, "project_id_status", "status_collated"),
    "status_group": _Index(_POINTS, Selectivity.INDEXED, "status_group", "status_group_collated"),
    "key": _Index(_POINTS, Selectivity.INDEXED),
    "marks": _Index(_POINTS, Selectivity.NARROW, "tags", "tags_collated"),
    "reporter_id": _Index(_POINTS, Selectivity.NARROW, "reporter"),
}
_NONE = _Index(frozenset(), Selectivity.FREE)
_ORDERED = {"created_at", "updated_at", "due_at", "priority"}  # fields of the indexes of people and labels


def selectivity(query: Filter) -> Selectivity:
    """Return how the query of a filter can be answered."""
    return max((_of(name, value) for name, value in conjuncts(query)), default=Selectivity.FREE)


def compared(query: Filter) -> Filter:
    """Return a filter in which MongoDB compares each `or` that no index answers, in place of reading it from indexes.

    It would merge scans for the alternatives, and returns the rows of `due_at is null or priority = low` in a wrong
    order then, so that later pages lack some of them (6.0). An `or` may be within another one.
    """
    parts = [_compared_or(value) if name == "$or" else {name: value} for name, value in conjuncts(query)]
    return {"$and": parts} if parts else {}


def _compared_or(alternatives: list[Filter]) -> Filter:
    is_free = _of("$or", alternatives) == Selectivity.FREE
    return {"$nor": [{"$nor": alternatives}]} if is_free else {"$or": list(map(compared, alternatives))}


def conjuncts(query: Filter) -> Iterator[tuple[str, Any]]:
    """Yield the conditions that must all hold, as pairs of a field (or an operator) and its condition."""
    for name, value in query.items():
        if name == "$and" or (name == "$or" and len(value) == 1):
            for part in value:
                yield from conjuncts(part)
        else:
            yield name, value


def _of(name: str, value: Any) -> Selectivity:
    if name == "$or":
        return min(map(selectivity, value))
    index = _INDEXES.get(name, _NONE)
    if not asked(value).keys() <= index.operators:
        return Selectivity.FREE
    # a flag is one tag of many tasks: of all that have no assignee, or no label
    return Selectivity.INDEXED if name == "marks" and any(len(tag) == 1 for tag in tags_of(value)) else index.answers


def asked(condition: Any) -> Row:
    """Return a condition as {operator: value}: a plain value stands for `$eq`."""
    return condition if isinstance(condition, dict) else {"$eq": condition}


def is_narrow(name: str, value: Any) -> bool:
    """Return whether a condition is NARROW."""
    return _of(name, value) == Selectivity.NARROW


def tags_of(condition: Any) -> list[str]:
    """Return the index tags that a condition on them names as values."""
    operators = asked(condition)
    return [*operators.get("$in", []), *([operators["$eq"]] if "$eq" in operators else [])]


def index_of_people(query: Filter, order: Order) -> str | None:
    """Return the index from which the tasks of a person or a label are read to be sorted; None: MongoDB chooses.

    It would read them from four or five indexes at the same time, to see from which it has them first. Ranges of fields
    that other indexes of people and labels have may be read sooner from those.
    """
    parts = [(name, value) for name, value in conjuncts(query) if name in _ORDERED or is_narrow(name, value)]
    fields = {"marks" if name == "$or" and _are_tags(value) else name for name, value in parts}
    return index_of_field(fields.pop(), order) if fields in ({"marks"}, {"reporter_id"}) else None


def indexed(query: Filter) -> dict[str, Row]:
    """Return the conditions that an index of each project answers: {field: {operator: value}}.

    Those that likely fewer tasks meet come first. Two with one operator are as the last one. None are returned when
    one is answered by other indexes, as those on keys and those that `or` joins: MongoDB finds these.
    """
    found: dict[str, Row] = {}
    for name, value in conjuncts(query):
        if _of(name, value):
            found[name] = found.get(name, {}) | asked(value)
    has_own = all(_INDEXES.get(name, _NONE).name for name in found)
    return {name: found[name] for name in _INDEXES if name in found} if has_own else {}


def index_of_field(field: str, order: Order | None = None) -> str:
    """Return the index from which the tasks that meet a condition on a field are read.

    `order`: the one in which they are sorted then; MongoDB compares texts of the query as those of the order.
    """
    index = _INDEXES[field]
    return index.collated or index.name if order and order.collation() else index.name


def branches(query: Filter) -> tuple[list[Filter], list[Filter]]:
    """Return conditions of which each task that matches meets one at least, and those that it meets all.

    Each of these branches can be read in the order of an index that begins with people or labels, which MongoDB does
    not find by itself: MAX_MERGED index tags where there are more, such as those of a label's name, one for each
    project that has it; and the alternatives of an `or` over several fields. Without branches when there are none, or
    when another condition has fewer places in these indexes, because that is read faster.
    """
    parts = sorted(conjuncts(query), key=lambda part: _places(*part))
    name, value = parts[0]
    places = _places(name, value)
    found: list[Filter] = []
    if name == "$or" and places < math.inf and (places > MAX_MERGED or not _are_tags(value)):
        found = [{"$or": [part]} for alternative in value for part in _parts_of(alternative)]
    elif MAX_MERGED < places < math.inf:
        found = scoped(name, value["$in"])
    return found, [{name: value} for name, value in parts[1:]] if found else [query]


def _are_tags(alternatives: list[Filter]) -> bool:
    """Return whether all are conditions on index tags alone, which MongoDB reads as one list of tags."""
    return all(part.keys() == {"marks"} for part in alternatives)


def _parts_of(alternative: Filter) -> list[Filter]:
    """Return an alternative in its own branches."""
    found, others = branches(alternative)
    return [{"$and": [branch, *others]} for branch in found] or [alternative]


def _places(name: str, value: Any) -> float:
    """Return in how many places of the indexes that begin with people and labels a condition is answered."""
    if name == "$or":
        return sum(min((_places(*pair) for pair in conjuncts(part)), default=math.inf) for part in value)
    if not is_narrow(name, value):
        return math.inf
    return len(value.get("$in", [0])) if isinstance(value, dict) else 1


def size(query: Filter) -> int:
    """Return the number of bytes of a query in BSON."""
    return len(bson.encode(query))


_TEXTS = ("title", "description", "key", "$regex", "custom_fields")


def compares_texts(part: Any) -> bool:
    """Return whether a query has conditions on texts, keys or custom fields, which no index of lists answers."""
    if isinstance(part, dict):
        return any(name.split(".")[0] in _TEXTS or compares_texts(value) for name, value in part.items())
    return any(map(compares_texts, part)) if isinstance(part, list) else isinstance(part, re.Pattern)


def in_projects(query: Filter, project_ids: Iterable[ObjectId]) -> tuple[list[ObjectId], Filter]:
    """Return the projects that the conditions of a filter on the project leave, and its other conditions.

    Within a query of many projects MongoDB would not read the tasks in their order for such a condition.
    """
    left, others = list(project_ids), list[Filter]()
    for name, value in conjuncts(query):
        named = _named(value) if name == "project_id" else None
        if named is None:
            others.append({name: value})
        else:
            ids, wanted = named
            left = [key for key in left if (key in ids) is wanted]
    return left, {"$and": others} if others else {}


def _named(condition: Any) -> tuple[set[ObjectId], bool] | None:
    """Return the projects that a condition names, and whether it is for these; None for conditions of other forms."""
    operators = asked(condition)
    if len(operators) != 1:
        return None
    ((operator, value),) = operators.items()
    if operator == "$not":
        denied = _named(value)
        return denied and (denied[0], not denied[1])
    if operator in ("$eq", "$ne"):
        return {value}, operator == "$eq"
    return (set(value), operator == "$in") if operator in ("$in", "$nin") else None
