"""Pages of lists over many scopes, such as all projects of an account, read in parts by one aggregation.

MongoDB reads the rows of several scopes in the order of an index `(scope, order)` by merging one scan for each scope,
but of at most MAX_MERGED scopes for each query; with more it reads all rows and sorts them. It also merges only one
contiguous range of the order. So a page is read in parts: one for each range of the order and each MAX_MERGED scopes.
Each part returns as many rows as the page has, so the cost of a page is one seek for each scope and range, and one page
for each part.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from taskmanager.core.storage.orders import ABSENT, Filter, Order, Row

MAX_MERGED = 200  # MongoDB's internalQueryMaxScansToExplode

# The stages that leave one of equal rows, in any order.
_ONCE: list[Row] = [{"$group": {"_id": "$_id", "row": {"$first": "$$ROOT"}}}, {"$replaceRoot": {"newRoot": "$row"}}]


def ranged(order: Order, after: Sequence[Any] | None, absent: Set[str] = frozenset()) -> list[Filter]:
    """Return the ranges of the order after the key `after`, in the direction of the list; all rows are one range.

    Ranges with a value of a field that no row has (`absent`) are left out: MongoDB would read all rows for them. None
    is left when all rows are before the key, which is that of another row after a partial page.
    """
    found = order.ranges(after) if after else [{}]
    return [one for one in found if all(one[field] == ABSENT for field in absent & one.keys())]


def pinned(query: Filter) -> set[str]:
    """Return the fields that have one value in all rows of a query, without `_id`."""
    return {field for field, value in query.items() if field != "_id" and _is_one_value(value)}


def _is_one_value(condition: Any) -> bool:
    return not isinstance(condition, dict) or condition == ABSENT or condition.keys() == {"$eq"}


def scoped(field: str, values: Sequence[Any], size: int = MAX_MERGED) -> list[Filter]:
    """Return queries for at most `size` of the values each."""
    chunks = [list(values[begin : begin + size]) for begin in range(0, len(values), size)]
    return [{field: {"$in": some} if len(some) > 1 else some[0]} for some in chunks]


@dataclass(frozen=True)
class PartsOfPage:
    """The aggregation of `limit` rows in an order, in parts: each of the `scopes` in each of the `ranges`.

    The ranges follow one after the other in the order. `overlapping`: a row may be in several of the scopes.
    """

    collection: str
    scopes: list[Filter]
    ranges: list[Filter]
    order: Order
    limit: int
    projection: Row | None
    overlapping: bool = False

    def stages(self, query: Filter, same: Set[str] = frozenset()) -> list[Row]:
        """Return the aggregation of the rows that match `query`, which have one value in each of the fields `same`."""
        return self._joined([self._read(part | query, same) for part in self._parts()])

    def _parts(self) -> list[Filter]:
        return [scope | place for place in self.ranges for scope in self.scopes]

    def _read(self, query: Filter, same: Set[str]) -> list[Row]:
        return [*self._ordered(query, same), {"$limit": self.limit}, *self._shown()]

    def _joined(self, parts: list[list[Row]]) -> list[Row]:
        """Join the parts; a part that follows the others in the order is only read when they have too few rows."""
        first, *others = parts
        rows = [*first, *map(self._union, others)]
        if len(self.scopes) > 1:
            rows += [*(_ONCE if self.overlapping else []), {"$sort": self._sort()}]
        return [*rows, {"$limit": self.limit}]

    def _ordered(self, query: Filter, same: Set[str] = frozenset()) -> list[Row]:
        return [{"$match": query}, {"$sort": dict(self.order.spec(same | pinned(query)))}]

    def _sort(self) -> dict[str, int]:
        return dict(self.order.spec())

    def _shown(self) -> list[Row]:
        return [{"$project": self.projection}] if self.projection else []

    def _union(self, stages: list[Row]) -> Row:
        return {"$unionWith": {"coll": self.collection, "pipeline": stages}}
