"""How many tasks meet conditions on people, labels, the status and the priority, by the counts of their projects.

Of two ways to read a page, which return the same tasks, the numbers tell which reads fewer of them. So they need not be
exact: conditions are taken to be independent of each other. Watchers and reporters are not counted.
"""

import itertools
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bson import ObjectId

from taskmanager.core.storage.orders import Filter, Row
from taskmanager.core.storage.replicas.reading import readable
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import NONE
from taskmanager.features.tasks.filtering.selectivity import asked, conjuncts, is_narrow, tags_of

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$in": lambda value, wanted: value in wanted,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}
COUNTED = ("marks", "status", "status_group", "priority")


class Frequencies:
    """Numbers of tasks of some projects: all of them (`total`), and those that meet conditions that are counted."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Take the counts of all tasks of the projects; see `TaskCounts`."""
        self._numbers: dict[str, Counter[Any]] = {name: Counter() for name in COUNTED}
        for row in rows:
            for name, value, number in _numbers(row):
                self._numbers[name][value] += number
        self.total = max(0, self._numbers["priority"].total())

    def expected(self, query: Filter) -> float:
        """Return how many tasks meet all conditions of a query: at least so many if not all of an `or` is counted."""
        return self.total * math.prod(self.of(*part) / self.total for part in conjuncts(query))

    def narrowest(self, query: Filter) -> float:
        """Return how many tasks meet the rarest of the conditions that an index of people and labels answers."""
        return min(self.of(*part) for part in conjuncts(query) if is_narrow(*part))

    def of(self, name: str, value: Any) -> float:
        """Return how many tasks meet one condition."""
        if name == "$or":
            return min(self.total, sum(self.expected(part) for part in value if _is_counted(part)))
        if name == "marks":
            return sum(self._numbers[name][tag] for tag in tags_of(value))
        limits, found = asked(value).items(), self._numbers[name].items()
        return sum(number for one, number in found if all(_OPERATORS[sign](one, to) for sign, to in limits))


def _numbers(row: Row) -> Iterator[tuple[str, Any, int]]:
    for label, number in row.get("label", {}).items():
        yield "marks", "l" if label == NONE else f"l:{label}", number
    for person, numbers in row.get("person", {}).items():
        yield "marks", "a" if person == NONE else f"a:{person}", numbers.get("tasks", 0)
    for priority, number in row.get("priority", {}).items():
        yield "priority", int(priority), number
    for status, groups in row.get("status", {}).items():
        for group, number in groups.items():
            yield "status", status, number
            yield "status_group", group, number


def frequencies(query: Filter, project_ids: Iterable[ObjectId]) -> Frequencies | None:
    """Read the numbers of these projects that the conditions of a query need; None when one of these is not counted."""
    if not _is_counted(query):
        return None
    shown: Row = {"_id": 0, "priority": 1, "status": 1}
    for tag in _tags(query):
        kind, _, value = tag.partition(":")
        shown[f"label.{value or NONE}" if kind == "l" else f"person.{value or NONE}.tasks"] = 1
    with readable(TaskCounts._get_collection()) as counts:
        found = Frequencies(counts.find({"project_id": {"$in": list(project_ids)}, "week": None}, shown))
    return found if found.total else None


def _is_counted(query: Filter) -> bool:
    return all(_is_counted_condition(*part) for part in conjuncts(query))


def _is_counted_condition(name: str, value: Any) -> bool:
    if name == "$or":
        return any(map(_is_counted, value))  # then at least so many
    if name == "marks":
        tags = tags_of(value)
        return bool(tags) and not any(tag.startswith("w") for tag in tags)
    return name in COUNTED and asked(value).keys() <= _OPERATORS.keys()


def _tags(query: Filter) -> Iterator[str]:
    for name, value in conjuncts(query):
        if name == "$or":
            yield from itertools.chain.from_iterable(map(_tags, value))
        elif name == "marks" and _is_counted_condition(name, value):
            yield from tags_of(value)
