"""The base of all QuerySets. Lists and frequent reads return rows (plain dictionaries) and not documents, because
hydrating documents is the slowest part of a list of fifty."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bson import ObjectId, decode
from mongoengine.queryset import QuerySet
from pymongo import collection as mongodb

from taskmanager.core.errors import NotFound
from taskmanager.core.servers.exchanges import WITHOUT_ZONES
from taskmanager.core.storage.database import capacity
from taskmanager.core.storage.orders import Filter, Key, Order, Row
from taskmanager.core.storage.replicas.reading import readable
from taskmanager.core.stored_rows import StoredRows, find, rows_within, stored_within

MAX_PAGE_BYTES = 4_000_000  # of the BSON of one page: a page that would be larger ends early, and the next continues
MAX_LISTED_CHARACTERS = 500  # of a text that lists shorten


def projection(fields: Iterable[str] | None, order: Order) -> Row | None:
    """Return the projection of a page; None for all fields."""
    return {name: _projection(name) for name in [*fields, *order.stored()]} if fields else None


class Shortened(str):
    """The name of a stored text of which a list reads only what it shows, and one more character."""


def _projection(name: str) -> int | Row:
    """Return the value of a field in a projection."""
    if not isinstance(name, Shortened):
        return 1
    beginning = {"$substrCP": [f"${name}", 0, MAX_LISTED_CHARACTERS + 1]}
    return {"$cond": [{"$gt": [f"${name}", None]}, beginning, "$$REMOVE"]}


def shortened(text: str) -> str:
    """Return a text as lists show it: at most MAX_LISTED_CHARACTERS characters, and an ellipsis."""
    return text if len(text) <= MAX_LISTED_CHARACTERS else text[:MAX_LISTED_CHARACTERS] + "…"


def _both(query: Filter, other: Filter) -> Filter:
    """Return the conjunction of two queries."""
    if query and other and query.keys() & other.keys():
        return {"$and": [query, other]}
    return {**query, **other}


# The state of a queryset that has read nothing yet.
_UNREAD = {
    "_mongo_query": None,
    "_cursor_obj": None,
    "_result_cache": None,
    "_len": None,
    "_has_more": True,
    "_iter": False,
}


@dataclass(frozen=True)
class Page:
    """A page of a list: at most `limit` rows, and the key of the last one when there are more."""

    rows: Sequence[Row]
    next_key: Key | None = None
    partial: bool = False  # it ends early because too many rows that do not match were read; `next_key` goes on

    def first(self, count: int, order: Order) -> "Page":
        """Return this page with at most the first `count` rows."""
        return self if count >= len(self.rows) else Page(self.rows[:count], order.key_of(self.rows[count - 1]))


def page_of_rows(found: list[bytes], order: Order, limit: int) -> Page:
    """Return a page of these rows, which are in the order: more than `limit` when another page follows."""
    rows, more = stored_within(found, limit, MAX_PAGE_BYTES)
    return Page(rows, order.key_of(rows[-1]) if more else None)


class BaseQuerySet(QuerySet):
    """Base of all QuerySets."""

    _conditions: Filter = {}

    def narrowed(self, **conditions: Any) -> Self:
        """Return the queryset with conditions on stored fields in the words of MongoDB: `deleted_at=None`.

        It does what `filter` does, without the time that MongoEngine takes to translate its own words, which grows with
        the values of a `$in`.
        """
        found: Self = self.__class__.__new__(self.__class__)
        found.__dict__ = self.__dict__ | _UNREAD  # what is shared is never changed: MongoEngine changes copies of it
        found._conditions = _both(self._conditions, conditions)
        return found

    @property
    def _query(self) -> Filter:
        return _both(self._conditions, super()._query)

    def _clone_into(self, new_qs: Any) -> Any:
        new_qs._conditions = self._conditions
        return super()._clone_into(new_qs)

    def one(self, item_id: ObjectId) -> Any:
        """Return the document with this id within the query. Raises NotFound."""
        capacity.check_primary()  # secondaries answer no single document
        document = self.filter(id=item_id).first()
        if document is None:
            raise NotFound
        return document

    def documents(self, ids: Sequence[ObjectId]) -> list[Any]:
        """Return the documents with these ids within the query, in any order."""
        query = {"$and": [{"_id": {"$in": list(ids)}}, self._query]}
        return [self._document._from_son(row) for row in self._raw.find(query)]

    def row(self, value: object, fields: Iterable[str] | None = None, *, by: str = "_id") -> Row:
        """Return the stored form of the document in the query whose unique field `by` is `value`. Raises NotFound."""
        # both conditions in an $and, because the query may restrict `_id` to what the actor may see
        capacity.check_primary()
        found = find(self._raw, {"$and": [{by: value}, self._query]}, dict.fromkeys(fields or (), 1), limit=1)
        if not found:
            raise NotFound
        return decode(found[0], self._raw.codec_options)

    def check_exists(self, item_id: ObjectId) -> None:
        """Raise NotFound unless a document with this id is within the query."""
        self.row(item_id, ["_id"])

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return the rows after the key `after`, in one round trip, whose cost does not depend on the position.

        At most `limit` rows, and as many as fit into MAX_PAGE_BYTES, but at least one. Their moments are UTC without a
        zone, because zones double the time of decoding.
        """
        query = order.within(self._query, after) if after else order.begin(self._query)
        return self.page_of(query, order, limit, fields=fields)

    def page_of(
        self,
        query: Filter,
        order: Order,
        limit: int,
        *,
        fields: Iterable[str] | None = None,
        index: str | None = None,
        same: Collection[str] = (),
    ) -> Page:
        """Return the first page of another query.

        `index`: the name of the index to read it from. `same`: fields that have one value in all rows of the query.
        """
        return page_of_rows(
            self.first_rows(query, order, limit + 1, fields=fields, index=index, same=same), order, limit
        )

    def joined(
        self,
        query: Filter,
        ids: Sequence[ObjectId],
        ends: Mapping[ObjectId, Key],
        order: Order,
        limit: int,
        *,
        after: Sequence[Any] | None = None,
        fields: Iterable[str] | None = None,
    ) -> Page | None:
        """Return the page of rows after `after` that several other queries have found, as far as `query` has them now.

        `ends`: the keys of the last rows of those that may have more. Behind the first of these in the order rows are
        missing, so the page ends there, and is partial unless it is full. None when a row of `ends` has another key by
        now: then it does not tell any more where they are missing.
        """
        before: list[Filter] = [{"$nor": order.ranges(after)}] if after else []
        end = None
        if ends:
            last = self.first_rows({"_id": {"$in": list(ends)}}, order, len(ends), fields=["_id"], index="_id_")
            keys = {row["_id"]: order.key_of(row) for row in StoredRows(last)}
            if keys != ends:
                return None
            end = next(iter(keys.values()))
        outside = [*before, *(order.ranges(end) if end else [])]
        found = query | {"_id": {"$in": list(ids)}} | ({"$nor": outside} if outside else {})
        page = self.page_of(found, order, limit, fields=fields, index="_id_")
        return page if page.next_key or end is None else Page(page.rows, end, partial=True)

    def first_rows(
        self,
        query: Filter,
        order: Order,
        number: int,
        *,
        fields: Iterable[str] | None = None,
        index: str | None = None,
        same: Collection[str] = (),
    ) -> list[bytes]:
        """Return the BSON of the first rows of another query; see `page_of`."""
        options: dict[str, Any] = {"limit": number, "sort": order.spec(same), "collation": order.collation()}
        with readable(self._collection) as listed:
            return find(listed, query, projection(fields, order), index=index, **options)

    def page_of_stages(self, stages: Sequence[Row], order: Order, limit: int) -> Page:
        """Return the page of an aggregation, which returns one more row when there are more."""
        with readable(self._collection.with_options(codec_options=WITHOUT_ZONES)) as listed:
            found = listed.aggregate(list(stages), batchSize=limit + 2, collation=order.collation())
            rows, more = rows_within(found, limit, MAX_PAGE_BYTES)
        return Page(rows, order.key_of(rows[-1]) if more else None)

    def aggregated(self, stages: Sequence[Row], order: Order, index: str) -> list[Row]:
        """Return the results of an aggregation that begins with an order, from an index of this name."""
        with readable(self._collection.with_options(codec_options=WITHOUT_ZONES)) as listed:
            return list(listed.aggregate(list(stages), collation=order.collation(), hint=index))

    def total(self, exact_up_to: int = 10_000) -> int | Row:
        """Return the number of documents, or {"value": n, "relation": "gte"} beyond the bound."""
        with readable(self._collection) as listed:
            count = listed.count_documents(self._query, limit=exact_up_to + 1)
        return count if count <= exact_up_to else {"value": exact_up_to, "relation": "gte"}

    def count_up_to(self, number: int) -> int:
        """Return the number of documents, or `number` when there are more."""
        return self._raw.count_documents(self._query, limit=number)

    def number_of(self, query: Filter, number: int, index: str) -> int:
        """Return how many rows another query has, or `number` when there are more; read from an index of this name."""
        with readable(self._collection) as listed:
            return listed.count_documents(query, limit=number, hint=index)

    def rows(self, limit: int, fields: Iterable[str], sort: Sequence[tuple[str, int]] | None = None) -> list[Row]:
        """Return at most `limit` stored documents within the query, not hydrated."""
        projection = {name: _projection(name) for name in fields}
        with readable(self._collection) as listed:
            return list(listed.find(self._query, projection, sort=sort, limit=limit, batch_size=limit))

    def piped(self, *stages: Row) -> list[Row]:
        """Return the results of an aggregation of the documents within the query."""
        with readable(self._collection) as listed:
            return list(listed.aggregate([{"$match": self._query}, *stages]))

    def piped_rows(self, fields: Iterable[str], *stages: Row) -> list[Row]:
        """Return the results of an aggregation as `piped` does, with only these fields of the documents."""
        return self.piped(*stages, {"$project": {name: _projection(name) for name in fields}})

    def alive(self) -> Self:
        """Return the queryset without the documents that are in the trash."""
        return self.narrowed(deleted_at=None)

    @property
    def _raw(self) -> mongodb.Collection[Row]:
        return self._collection
