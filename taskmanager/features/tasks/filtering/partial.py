"""Partial pages: the first tasks in the index of an order are compared with a filter that few of them match.

Each query reads one range of the order in at most MAX_MERGED projects, and has its share of the tasks. Behind the first
place at which one of them ended, tasks may be missing, so there the page ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bson import ObjectId

from taskmanager.core.storage.orders import Filter, Key, Order, Row
from taskmanager.core.storage.parts import pinned
from taskmanager.core.storage.querysets import Page
from taskmanager.core.stored_rows import StoredRows
from taskmanager.features.tasks.models import Task


class _Compared(NamedTuple):
    """The tasks that match among the first ones of a query, how many were compared, and the last one of these."""

    ids: list[ObjectId]
    number: int
    last: Row


@dataclass(frozen=True)
class PartialReader:
    """Reads a page of the tasks of `scope` that match `condition`."""

    scope: Filter
    condition: Filter
    order: Order
    index: str  # which has the order
    limit: int
    fields: Iterable[str] | None = None

    def page(self, ranges: Sequence[Sequence[Filter]], count: int) -> Page:
        """Compare at most `count` tasks of queries for ranges that follow each other in the order; return the page.

        It is partial, and its key is that of the last task that was compared, when there may be more before a full one.
        """
        ids, ends, left = list[ObjectId](), dict[ObjectId, Key](), count
        for queries in ranges:
            share = max(1, left // len(queries))
            for query in queries:
                found = self._compare(query, share)
                ids, left = [*ids, *found.ids], left - found.number
                if found.number == share:
                    ends[found.last["_id"]] = self.order.key_of(found.last)
            if ends or len(ids) > self.limit:
                break
        page = self._up_to(ends, ids) if ends else self._read(ids)
        return page or self.page(ranges, count)  # once more when they have changed meanwhile

    def _compare(self, query: Filter, count: int) -> _Compared:
        key = {field: f"${field}" for field, _ in self.order.spec()}
        stages: list[Row] = [
            {"$match": query},
            {"$sort": dict(self.order.spec(pinned(query)))},
            {"$limit": count},
            {
                "$facet": {
                    "matching": [{"$match": self.condition}, {"$limit": self.limit + 1}, {"$project": {"_id": 1}}],
                    "all": [{"$group": {"_id": None, "number": {"$sum": 1}, "last": {"$last": key}}}],
                }
            },
        ]
        (found,) = Task.objects.aggregated(stages, self.order, self.index)
        ids = [row["_id"] for row in found["matching"]]
        return (
            _Compared(ids, found["all"][0]["number"], found["all"][0]["last"]) if found["all"] else _Compared([], 0, {})
        )

    def _up_to(self, ends: dict[ObjectId, Key], ids: list[ObjectId]) -> Page | None:
        """Return the page up to the first of these keys in the order; None when a task has another key now."""
        query = {"_id": {"$in": list(ends)}}
        rows = StoredRows(Task.objects.first_rows(query, self.order, len(ends), fields=["_id"], index="_id_"))
        keys = {row["_id"]: self.order.key_of(row) for row in rows}
        if keys != ends:
            return None
        end = next(iter(keys.values()))
        page = self._read(ids, {"$nor": self.order.ranges(end)})
        return page if page is None or page.next_key else Page(page.rows, end, partial=True)

    def _read(self, ids: list[ObjectId], *conditions: Filter) -> Page | None:
        query = self.scope | ({"$and": list(conditions)} if conditions else {})
        return Task.objects.page_of_ids(ids, query, self.order, self.limit, fields=self.fields)
