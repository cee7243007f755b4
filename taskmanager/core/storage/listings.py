"""The sources of lists: they return pages and a total, such as the query of what an actor may see."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bson import ObjectId

from taskmanager.core.storage.orders import Key, Order, Row
from taskmanager.core.storage.querysets import BaseQuerySet, Page


class Listing(Protocol):
    """What `visible(…, actor)` of a feature returns: a queryset, or another source that is read by pages."""

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return at most `limit` rows after the key `after`, with at least these stored fields."""
        ...

    def total(self) -> int | Row:
        """Return the number of rows, or {"value": n, "relation": "gte"} beyond a bound."""
        ...


@dataclass(frozen=True)
class Described:
    """A query whose rows are completed before a response, such as memberships with the names of the members.

    `describe` returns one row for each row that it gets, in the same order; `needed` are the stored fields it reads.
    """

    query: BaseQuerySet
    describe: Callable[[Sequence[Row]], list[Row]]
    needed: tuple[str, ...] = ()

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return a page of the query, with described rows."""
        found = self.query.page(order, limit, after=after, fields=self._wanted(fields))
        return Page(self.describe(found.rows), found.next_key)

    def total(self) -> int | Row:
        """Return the number of rows as `BaseQuerySet.total` does."""
        return self.query.total()

    def row(self, value: ObjectId, fields: Iterable[str] | None = None) -> Row:
        """Return one described row. Raises NotFound."""
        return self.describe([self.query.row(value, self._wanted(fields))])[0]

    def _wanted(self, fields: Iterable[str] | None) -> list[str] | None:
        return None if fields is None else [*fields, *self.needed]


def all_rows(listing: Listing, order: Order, size: int) -> Iterator[Row]:
    """Yield all rows in an order; only a page of `size` rows is in memory at a time."""
    after: Key | None = None
    while True:
        page = listing.page(order, size, after=after)
        yield from page.rows
        if page.next_key is None:
            return
        after = page.next_key
