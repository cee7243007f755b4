"""How many tasks meet conditions on people, labels, the status and the priority, by the counts of their projects.

Of two ways to read a page, which return the same tasks, the numbers tell which reads fewer of them. So they need not be
exact: conditions are taken to be independent of each other.
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
from taskmanager.features.tasks.filtering.selectivity import conjuncts, is_narrow, tags_of

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$in": lambda value, wanted: value in wanted,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}
_FIELDS = ("marks", "status", "status_group", "priority")


class Frequencies:
    """Numbers of tasks of some projects: all of them (`total`), and those that meet a condition, if that is counted."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Take the counts of all tasks of the projects; see `TaskCounts`."""
        self._numbers: dict[str, Counter[Any]] = {name: Counter() for name in _FIELDS}
        for row in rows:
            for name, value, number in _numbers(row):
                self._numbers[name][value] += number
        self.total = max(0, self._numbers["priority"].total())

    def expected(self, query: Filter) -> float:
        """Return how many tasks meet all conditions of a query; NaN when one of them is not counted."""
        return self.total * math.prod(self._of(*part) / max(1, self.total) for part in conjuncts(query))

    def narrowest(self, query: Filter) -> float:
        """Return how many tasks meet the rarest of the conditions that an index of people and labels answers."""
        return min((self._of(*part) for part in conjuncts(query) if is_narrow(*part)), default=math.nan)

    def _of(self, name: str, value: Any) -> float:
        if name == "$or":
            return min(self.total, sum(map(self.expected, value)))
        asked = value if isinstance(value, dict) else {"$eq": value}
        if name not in _FIELDS or not asked.keys() <= _OPERATORS.keys():
            return math.nan
        if name == "marks":
            return sum(map(self._of_tag, tags_of(asked))) if asked.keys() <= {"$eq", "$in"} else math.nan
        found = self._numbers[name].items()
        return sum(number for one, number in found if all(_OPERATORS[sign](one, to) for sign, to in asked.items()))

    def _of_tag(self, tag: str) -> float:
        return math.nan if tag.startswith("w") else self._numbers["marks"][tag]


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


def frequencies(query: Filter, project_ids: Iterable[ObjectId]) -> Frequencies:
    """Read the numbers of these projects that the conditions of a query need."""
    shown: Row = {"_id": 0, "priority": 1, "status": 1}
    for tag in _tags(query):
        kind, _, value = tag.partition(":")
        shown |= {"label": 1} if kind == "l" else {f"person.{value or NONE}.tasks": 1}
    with readable(TaskCounts._get_collection()) as counts:
        return Frequencies(counts.find({"project_id": {"$in": list(project_ids)}, "week": None}, shown))


def _tags(query: Filter) -> Iterator[str]:
    for name, value in conjuncts(query):
        if name == "$or":
            yield from itertools.chain.from_iterable(map(_tags, value))
        elif name == "marks":
            yield from tags_of(value)
