"""Pages of lists of tasks: which index a page is read from, and how far.

* Without a filter, and with one that no index answers (see `selectivity`): the index of the order.
* In one project, with any other filter: MongoDB chooses between the indexes of the filter, whose tasks it sorts in
  memory, and that of the order, in which it passes over what does not match. It tries them in turn and takes the first
  that has a page, so the cost follows the cheaper one.
* In several projects it would try some twenty indexes for each 200 of them, so the service chooses. A condition that at
  most MAX_FEW tasks meet is read from its own index, and sorted; of others a page is looked for in the index of the
  order, for FREQUENT_SECONDS, before all tasks that meet the rarest one are sorted.
* The indexes of people and labels begin with these, so they need no seek for each project, and some have an order. In
  another order they sort all tasks of the rarest person or label, unless by the counts of the projects (see
  `frequency`) the index of the order passes over fewer tasks until it has a page.
* When that takes longer than WHOLE_SECONDS, because most tasks do not match: at most MAX_COMPARED tasks in the index of
  the order. Such a page may be partial: it has what was found there, and a cursor to go on.

The index of the order is read for MAX_MERGED projects and one range of the order at once, which MongoDB merges. Labels
of one name in more projects are read in parts (see `core.storage.parts`), and so are people and labels of several
fields that are joined by `or`: a page of each.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Invalid, Unavailable
from taskmanager.core.filters.binding import TOO_WIDE
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import TOO_SLOW, bounded
from taskmanager.core.storage.orders import ABSENT, Filter, Key, Order, Row
from taskmanager.core.storage.parts import MAX_MERGED, PartsOfPage, pinned, ranged, scoped
from taskmanager.core.storage.querysets import Page, page_of_rows, projection
from taskmanager.core.stored_rows import StoredRows
from taskmanager.features.tasks.filtering.expensive import bounded_query, expensive
from taskmanager.features.tasks.filtering.frequency import COUNTED, frequencies
from taskmanager.features.tasks.filtering.partial import PartialReader
from taskmanager.features.tasks.filtering.selectivity import (
    Selectivity,
    branches,
    compares_texts,
    conjuncts,
    index_of_field,
    index_of_people,
    indexed,
    selectivity,
    size,
)
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import ALIVE

MAX_COMPARED = 2_500  # tasks of a partial page that are compared with its filter
MAX_BRANCHES = 20  # of one query: each is a project and a range, and takes some time to plan
MAX_FEW = 2_500  # tasks that are sorted before the order is tried
MAX_BYTES = 15_000_000  # of a command, which has 16 MB at most
MAX_RANGES = 5  # of the orders, on a later page: two fields of which one may be null, and the id
# The orders of the indexes that begin with an index tag, or with the reporter.
ORDERS_OF_PEOPLE = {"order_created_at", "order_updated_at", "order_due_at", "order_priority_due_at"}
_TOO_WIDE = "it is too long with all that its names mean in these projects: add a condition on the project."
WHOLE_SECONDS = 0.6  # of a query that returns a whole page; then a partial one is read
FREQUENT_SECONDS = 0.25  # of these, to find in the order what many tasks have; then all of them are sorted


@contextmanager
def _tried(seconds: float) -> Iterator[None]:
    """Give the queries of a block so many seconds, and go on behind it when they take longer."""
    try:
        with bounded(seconds):
            yield
    except Unavailable as error:
        if error.code != TOO_SLOW:
            raise


@dataclass(frozen=True)
class PageReader:
    """Reads a page of the tasks of some projects, which match `condition` unless that is empty."""

    actor: Actor
    project_ids: Sequence[ObjectId]
    condition: Filter
    order: Order
    limit: int
    after: Sequence[Any] | None = None
    fields: Iterable[str] | None = None

    def page(self) -> Page:
        """Return the page.

        Raises Invalid (`filter.too_wide`), TooMany (`query.too_many`), Unavailable (`query.busy`, `query.too_slow`).
        """
        if not self.project_ids or not self._ranges:
            return Page([])
        if not self.condition:
            return self._in_order()
        if self._bytes * MAX_RANGES * self._number_of_parts > MAX_BYTES:
            raise Invalid("query.filter", _TOO_WIDE, code=TOO_WIDE)
        with expensive(self.actor) if compares_texts(self.condition) else bounded_query():
            with _tried(WHOLE_SECONDS):
                return self._matching(selectivity(self.condition))
            return self._compared()

    def _matching(self, found: Selectivity) -> Page:
        if found == Selectivity.FREE:
            return self._in_order()
        if len(self.project_ids) > 1:
            if found == Selectivity.NARROW:
                return (self._soon_in_order() if self._is_frequent() else None) or self._narrow()
            if self._own:
                return self._indexed()
        if self.after or len(self.project_ids) > MAX_MERGED:
            return self._of_parts()
        return self._read(self._with_condition(self._scope()))

    def _is_frequent(self) -> bool:
        """Return whether the index of the order passes over fewer tasks than the rarest person or label has."""
        if self.order.name() in ORDERS_OF_PEOPLE:
            return False
        counted = frequencies(self.condition, self.project_ids)
        if counted is None:
            return False
        passed = self._number_of_parts * (self.limit + 1) * counted.total / max(1, counted.expected(self.condition))
        return len(self.project_ids) + passed < counted.narrowest(self.condition)

    def _indexed(self) -> Page:
        """Read the page from the index of the rarest condition if few tasks meet it, else from that of the order."""
        is_begin = self._index != self.order.name() or self.order.fields[0][0] in self._own
        page = self._soon_in_order() if is_begin else None
        if page is None:
            numbers = self._numbers()
            field = min(numbers, key=numbers.__getitem__)
            page = self._soon_in_order() if numbers[field] > MAX_FEW and not is_begin else None
        return page or self._sorted(index_of_field(field, self.order))

    def _numbers(self) -> dict[str, float]:
        """Return how many tasks meet each condition that has an index, until few meet one of them.

        Where the counts of the projects do not tell it, they are counted up to MAX_FEW: infinite stands for more.
        """
        parts = self._own
        told = {name: value for name, value in parts.items() if name in COUNTED}
        counted = frequencies(told, self.project_ids) if told else None
        numbers = {name: counted.of(name, value) for name, value in told.items()} if counted else {}
        for name in parts:
            if min(numbers.values(), default=math.inf) <= MAX_FEW:
                break
            if name not in numbers:
                numbers[name] = self._number_of({name: parts[name]}, index_of_field(name))
        return numbers

    def _number_of(self, query: Filter, index: str) -> float:
        number = Task.objects.number_of(self._scope() | query, MAX_FEW + 1, index)
        return number if number <= MAX_FEW else math.inf

    def _soon_in_order(self) -> Page | None:
        """Read the page from the index of the order; None when that takes longer than FREQUENT_SECONDS."""
        with _tried(FREQUENT_SECONDS):
            return self._in_order()
        return None

    def _sorted(self, index: str) -> Page:
        """Read the page from an index that does not have the order."""
        later = [{"$or": self._ranges}] if self.after else []
        return self._read(self._scope() | {"$and": [self.condition, *later]}, index)

    def _in_order(self) -> Page:
        """Read the page from the index of the order, by one query if it has few branches."""
        if not self.after and len(self.project_ids) <= MAX_MERGED:
            return self._read(self._with_condition(self._scope()), self._index)
        scopes = scoped("project_id", self.project_ids, 1)
        number = len(scopes) * len(self._ranges)
        if number <= MAX_BRANCHES and number * self._bytes <= MAX_BYTES:
            places = [ALIVE | scope | place for place, scope in product(self._ranges, scopes)]
            return self._read({"$or": list(map(self._with_condition, places))}, self._index)
        return self._in_ranges()

    def _in_ranges(self) -> Page:
        """Read the page by a query for each range and MAX_MERGED projects, until there are enough rows.

        Those of several queries are sorted then, by their ids. MongoDB would try some twenty indexes for each part of
        one aggregation.
        """
        scopes = scoped("project_id", self.project_ids)
        if len(scopes) == 1:
            return self._in_ranges_of(scopes[0])
        ids, ends = list[ObjectId](), dict[ObjectId, Key]()
        for place, scope in product(self._ranges, scopes):
            if scope is scopes[0] and ends:
                break
            rows = StoredRows(self._first(scope, place, ["_id"]))
            ids += [row["_id"] for row in rows]
            if len(rows) > self.limit:
                ends.setdefault(rows[-1]["_id"], self.order.key_of(rows[-1]))
        query, options = self._with_condition(self._scope()), {"after": self.after, "fields": self.fields}
        return Task.objects.joined(query, ids, ends, self.order, self.limit, **options) or self._of_parts()

    def _in_ranges_of(self, scope: Filter) -> Page:
        found: list[bytes] = []
        for place in self._ranges:
            rows = self._first(scope, place, self.fields)
            if found and rows:  # a task may have changed its place since
                known = {row["_id"] for row in StoredRows(found)}
                rows = [stored for stored, row in zip(rows, StoredRows(rows), strict=True) if row["_id"] not in known]
            found += rows
            if len(found) > self.limit:
                break
        return page_of_rows(found, self.order, self.limit)

    def _first(self, scope: Filter, place: Filter, fields: Iterable[str] | None) -> list[bytes]:
        """Return as many tasks as show that another page follows, from a range of the order in some projects."""
        query, same = self._with_condition(ALIVE | scope | place), self._same | pinned(place)
        wanted: dict[str, Any] = {"fields": fields, "index": self._index, "same": same}
        return Task.objects.first_rows(query, self.order, self.limit + 1, **wanted)

    def _compared(self) -> Page:
        """Read a page that may be partial: from the index of the order, comparing MAX_COMPARED tasks."""
        scopes = scoped("project_id", self.project_ids)
        ranges = [[ALIVE | scope | place for scope in scopes] for place in self._ranges]
        reader = PartialReader(self._scope(), self.condition, self.order, self.limit, self.after, self.fields)
        return reader.page(ranges, MAX_COMPARED)

    def _narrow(self) -> Page:
        """Read the page from the indexes that begin with people and labels.

        The condition on the projects has a form that no index can answer: MongoDB would try some fifteen others. A
        later page is read from where it begins, in each range of the order, if one of these indexes has the order.
        """
        query: Filter = ALIVE | {"$nor": [{"project_id": {"$nin": list(self.project_ids)}}]}
        scopes, conditions = branches(self.condition)
        ranges = self._ranges
        is_sorted = self.order.name() not in ORDERS_OF_PEOPLE
        if self.after and is_sorted:
            conditions, ranges = [*conditions, {"$or": ranges}], [{}]
        query |= {"$and": conditions} if conditions else {}
        if scopes or len(ranges) > 1:
            return self._of_stages(self._parts(scopes or [{}], ranges, overlapping=True).stages(query, self._same))
        return self._read(query | ranges[0], index_of_people(self.condition, self.order) if is_sorted else None)

    def _scope(self) -> Filter:
        return ALIVE | scoped("project_id", self.project_ids, len(self.project_ids))[0]

    @cached_property
    def _ranges(self) -> list[Filter]:
        absent = {field for field, value in conjuncts(self.condition) if value == ABSENT}
        return ranged(self.order, self.after, absent)

    @cached_property
    def _own(self) -> dict[str, Row]:
        return indexed(self.condition)

    @cached_property
    def _bytes(self) -> int:
        return size(self.condition)

    @property
    def _number_of_parts(self) -> int:
        return math.ceil(len(self.project_ids) / MAX_MERGED)

    @cached_property
    def _same(self) -> set[str]:
        return pinned(dict(conjuncts(self.condition)))

    @property
    def _index(self) -> str:
        """Return the index that has the order, or that has it for each priority where all rows have the same."""
        name = self.order.name()
        return "order_priority_due_at" if name == "order_due_at" and "priority" in self._same else name

    def _read(self, query: Filter, index: str | None = None) -> Page:
        """Read the page by one `find`, from an index with this name if there is one."""
        same = self._same
        return Task.objects.page_of(query, self.order, self.limit, fields=self.fields, index=index, same=same)

    def _with_condition(self, query: Filter) -> Filter:
        return query | {"$and": [self.condition]} if self.condition else query

    def _of_parts(self) -> Page:
        return self._of_stages(self._parts().stages(self._with_condition(ALIVE), self._same))

    def _of_stages(self, stages: list[Filter]) -> Page:
        if self.condition and size({"pipeline": stages}) > MAX_BYTES:
            raise Unavailable("This takes too long: ask for less.", code=TOO_SLOW)
        return Task.objects.page_of_stages(stages, self.order, self.limit)

    def _parts(
        self, scopes: list[Filter] | None = None, ranges: list[Filter] | None = None, *, overlapping: bool = False
    ) -> PartsOfPage:
        return PartsOfPage(
            "tasks",
            scopes or scoped("project_id", self.project_ids),
            ranges or self._ranges,
            self.order,
            self.limit + 1,
            projection(self.fields, self.order),
            overlapping,
        )
