"""Partial pages: the first tasks in the index of an order are compared with a filter that few of them match."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Unavailable
from taskmanager.core.storage.database import TOO_SLOW
from taskmanager.core.storage.orders import Filter, Key, Order, Row
from taskmanager.core.storage.parts import pinned
from taskmanager.core.storage.querysets import Page
from taskmanager.features.tasks.models import Task

_TRIES = 3  # while the tasks change at which a page ends


@dataclass(frozen=True)
class PartialReader:
    """Reads a page of the tasks of `scope` that match `condition`, after the key `after`."""

    scope: Filter
    condition: Filter
    order: Order
    limit: int
    after: Sequence[Any] | None = None
    fields: Iterable[str] | None = None

    def page(self, ranges: Sequence[Sequence[Filter]], count: int) -> Page:
        """Compare at most `count` tasks, and return a page that may be partial.

        `ranges` follow each other in the order; the queries of a range have different tasks. Each has its share of the
        tasks. Raises Unavailable (`query.too_slow`).
        """
        query, where = self.scope | {"$and": [self.condition]}, (self.order, self.limit)
        for _ in range(_TRIES):
            found = self._compare(ranges, count)
            page = Task.objects.joined(query, *found, *where, after=self.after, fields=self.fields)
            if page is not None:
                return page
        raise Unavailable("The tasks change faster than they can be listed.", code=TOO_SLOW)

    def _compare(self, ranges: Sequence[Sequence[Filter]], left: int) -> tuple[list[ObjectId], dict[ObjectId, Key]]:
        """Return the tasks that match, and the keys at which queries ended that may have more."""
        ids, ends = list[ObjectId](), dict[ObjectId, Key]()
        for queries in ranges:
            share = max(1, left // len(queries))
            for query in queries:
                rows, number, last = self._first(query, share)
                ids, left = [*ids, *(row["_id"] for row in rows)], left - number
                if len(rows) > self.limit:
                    last = rows[-1]
                elif number < share:
                    continue
                ends.setdefault(last["_id"], self.order.key_of(last))
            if ends:
                break
        return ids, ends

    def _first(self, query: Filter, count: int) -> tuple[list[Row], int, Row]:
        """Compare the first `count` tasks of a query.

        Return the first ones that match, the number of tasks that were there, and the last one of these.
        """
        key = {field: f"${field}" for field, _ in self.order.spec()}
        matching: list[Row] = [{"$match": self.condition}, {"$limit": self.limit + 1}, {"$project": key}]
        every: list[Row] = [{"$group": {"_id": None, "number": {"$sum": 1}, "last": {"$last": key}}}]
        stages: list[Row] = [
            {"$match": query},
            {"$sort": dict(self.order.spec(pinned(query)))},
            {"$limit": count},
            {"$facet": {"matching": matching, "every": every}},
        ]
        (found,) = Task.objects.aggregated(stages, self.order, self.order.name())
        read: Row = found["every"][0] if found["every"] else {"number": 0, "last": {}}
        return found["matching"], read["number"], read["last"]
