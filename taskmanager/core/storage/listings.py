"""What a list is made of: something that returns pages and a total, such as a query of what an actor may see."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bson import ObjectId

from taskmanager.core.storage.querysets import BaseQuerySet, Order, Page, Row


class Listing(Protocol):
    """What `visible(…, actor)` of a feature returns: a queryset, or something else that is read by pages."""

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return at most `limit` rows after the key `after`, with these stored fields at least."""
        ...

    def total(self) -> int | Row:
        """Return how many rows there are: a number, or {"value": n, "relation": "gte"} beyond a bound."""
        ...


@dataclass(frozen=True)
class Described:
    """A query whose rows are completed before they are shown, such as memberships with the names of the members.

    `describe` returns one row for each that it gets, in the same order; `needed` are the stored fields it reads.
    """

    query: BaseQuerySet
    describe: Callable[[list[Row]], list[Row]]
    needed: tuple[str, ...] = ()

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return a page of the query, with described rows."""
        found = self.query.page(order, limit, after=after, fields=self._wanted(fields))
        return Page(self.describe(found.rows), found.next_key)

    def total(self) -> int | Row:
        """Return how many rows the query has, as `Words.total`."""
        return self.query.total()

    def row(self, value: ObjectId, fields: Iterable[str] | None = None) -> Row:
        """Return one described row. Raises NotFound."""
        return self.describe([self.query.row(value, self._wanted(fields))])[0]

    def _wanted(self, fields: Iterable[str] | None) -> list[str] | None:
        return None if fields is None else [*fields, *self.needed]


def all_rows(listing: Listing, order: Order, size: int) -> Iterator[Row]:
    """Yield all rows in an order, a page of `size` in memory at a time."""
    after: Sequence[Any] | None = None
    while True:
        page = listing.page(order, size, after=after)
        yield from page.rows
        if page.next_key is None:
            return
        after = page.next_key
