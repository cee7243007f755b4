"""The base of all QuerySets. Lists and frequent reads return rows (plain dictionaries) and not documents, because
hydrating documents is the slowest part of a list of fifty."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from bson import ObjectId
from mongoengine.queryset import QuerySet
from pymongo import collection as mongodb

from taskmanager.core.errors import NotFound
from taskmanager.core.sized_cursor import WITHOUT_ZONES, SizedCursor, rows_within
from taskmanager.core.storage.collation import COLLATION, TEXT_FIELDS

MAX_PAGE_BYTES = 4_000_000  # of the BSON of one page: a page that would be larger ends early, and the next continues
MAX_BRANCHES = 1_000  # of a query: MongoDB plans a thousand in 30 ms, and five thousand in 1.7 s
MAX_LISTED_CHARACTERS = 500  # of a text that lists shorten
MARK = "reading_ended"  # a row with this field is no row of the page: behind it not all rows were read
Row = dict[str, Any]  # a stored document, or a part of one
Filter = dict[str, Any]  # a MongoDB query
Key = list[Any]  # the values of a row by which an order sorts, the last of which is unique


class Order(NamedTuple):
    """A total order of a list: by stored fields, each ascending or descending; `_id` breaks ties, as the last field."""

    fields: tuple[tuple[str, bool], ...]  # (stored field, whether it descends)

    @classmethod
    def by(cls, *words: str) -> "Order":
        """Return the order of fields such as `-due_at`; a minus means descending."""
        return cls(tuple((word.removeprefix("-"), word.startswith("-")) for word in words))

    def spec(self) -> list[tuple[str, int]]:
        return [(field, -1 if descending else 1) for field, descending in self._whole()]

    def key_of(self, row: Row) -> Key:
        """Return the key of a row; a cursor contains the key of the last row of its page."""
        return [_value(row, field) for field, _ in self._whole()]

    def fits(self, key: Sequence[Any]) -> bool:
        """Return whether a cursor's key has as many values as this order: a later release may sort by other fields."""
        return len(key) == len(self._whole())

    def stored(self) -> list[str]:
        """Return the stored fields that the order reads."""
        return [field.partition(".")[0] for field, _ in self.fields]

    def collation(self) -> Mapping[str, Any] | None:
        """Return the collation of this order, which its index must have too; None: by code point."""
        return COLLATION if any("." in field or field in TEXT_FIELDS for field, _ in self.fields) else None

    def name(self) -> str:
        """Return the name of the index that has this order, forwards or backwards."""
        opposed = len({descending for _, descending in self.fields}) > 1
        return "order_" + "_".join(field for field, _ in self.fields) + ("_opposed" if opposed else "")

    def begin(self, query: Filter) -> Filter:
        """Return `query` in branches that each lie in one contiguous range of the index."""
        parts = _spread(query)
        if len(parts) > MAX_BRANCHES:
            return query
        return {"$or": parts} if len(parts) > 1 else parts[0]

    def within(self, query: Filter, key: Sequence[Any]) -> Filter:
        """Return `query` for the rows that follow `key`: one branch for each range of the index that they can lie in.

        MongoDB merges such branches in order and reads no more of each than it needs. It does not find them by
        itself for a query with an `$in`: it would read all rows before the key, and sort. With more than MAX_BRANCHES
        it does that here too, because planning the branches would take longer.
        """
        ranges, parts = self.ranges(key), _spread(query)
        if len(ranges) * len(parts) > MAX_BRANCHES:
            return {"$and": [query, {"$or": ranges}]}
        return {"$or": [{"$and": [part, index_range]} for part in parts for index_range in ranges]}

    def ranges(self, key: Sequence[Any]) -> list[Filter]:
        """Return the ranges that follow `key` in this order, one after the other."""
        whole = self._whole()
        found = []
        for index in reversed(range(len(whole))):
            same = {
                field: ABSENT if value is None else value for (field, _), value in zip(whole[:index], key, strict=False)
            }
            field, descending = whole[index]
            found += [same | beyond for beyond in _beyond(field, descending, key[index])]
        return found

    def _whole(self) -> tuple[tuple[str, bool], ...]:
        """Return the fields with `_id` as the last one; `_id` is unique, so no field after it matters."""
        ends = [field for field, _ in self.fields].count("_id")
        return self.fields if ends else (*self.fields, ("_id", self.fields[-1][1]))


# Ids of two processes are not in the order of time within a second, so lists are in the order of `created_at`.
CREATED, NEWEST = Order.by("created_at"), Order.by("-created_at")
HAPPENED = Order.by("at", "seq")  # of events


def _beyond(field: str, descending: bool, value: object) -> list[Filter]:
    """Return the conditions for rows after a value of a field. MongoDB sorts null before everything else."""
    if "." in field:
        return _beyond_any(field, descending, value)
    if value is not None:
        absent = [] if field in _NEVER_ABSENT else [{field: ABSENT}]
        return [{field: {"$lt": value}}, *absent] if descending else [{field: {"$gt": value}}]
    return [] if descending else [{field: {"$gte": _MIN_VALUE.get(field, _EARLIEST)}}]


def _beyond_any(field: str, descending: bool, value: object) -> list[Filter]:
    """Return the conditions for a field with values of several types: types have an order, but `$gt` compares one."""
    if value is None:
        return [] if descending else [{field: {"$exists": True}}]
    return [{"$expr": {"$lt" if descending else "$gt": [f"${field}", {"$literal": value}]}}]


def _value(row: Row, field: str) -> Any:
    """Return the value of a field, which may be one of a family, such as `custom_fields.points`."""
    family, dot, name = field.partition(".")
    return row.get(family, {}).get(name) if dot else row.get(field)


_NEVER_ABSENT = ("_id", "created_at", "at", "seq", "name", "title")
_MIN_VALUE = {"key_order": ""}
# All other fields of an index that may be absent are dates: "not null" is "a date", one range and not two.
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
# No value is stored as null (see `Versioned.write`), and a query for null would match "undefined" too.
ABSENT = {"$exists": False}


def _spread(query: Filter) -> list[Filter]:
    """Return one query for each branch of an "or" and each value of an `$in`."""
    parts = (
        [
            {name: part for name, part in query.items() if name != "$or"} | {"$and": [*query.get("$and", []), branch]}
            for branch in query["$or"]
        ]
        if "$or" in query
        else [query]
    )
    for field, condition in query.items():
        if field not in ("_id", "$or") and isinstance(condition, dict) and condition.keys() == {"$in"}:
            return [{**part, field: value} for part in parts for value in condition["$in"]] or [query]
    return parts


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


@dataclass(frozen=True)
class Page:
    """A page of a list: at most `limit` rows, and the key of the last one when there are more."""

    rows: list[Row]
    next_key: Key | None = None
    partial: bool = False  # it ends early because too many rows that do not match were read; `next_key` goes on

    def first(self, count: int, order: Order) -> "Page":
        """Return this page with at most the first `count` rows."""
        return self if count >= len(self.rows) else Page(self.rows[:count], order.key_of(self.rows[count - 1]))


class BaseQuerySet(QuerySet):
    """Base of all QuerySets."""

    _conditions: Filter = {}

    def narrowed(self, **conditions: Any) -> Self:
        """Return the queryset with conditions on stored fields in the words of MongoDB: `deleted_at=None`.

        It does what `filter` does, without the time that MongoEngine takes to translate its own words, which grows with
        the values of a `$in`.
        """
        found: Self = self.clone()
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
        document = self.filter(id=item_id).first()
        if document is None:
            raise NotFound
        return document

    def row(self, value: object, fields: Iterable[str] | None = None, *, by: str = "_id") -> Row:
        """Return the stored form of the document in the query whose unique field `by` is `value`. Raises NotFound."""
        # both conditions in an $and, because the query may restrict `_id` to what the actor may see
        row = self._raw.find_one({"$and": [{by: value}, self._query]}, fields and list(fields))
        if row is None:
            raise NotFound
        return row

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
        hinted: bool = False,
        same: Collection[str] = (),
    ) -> Page:
        """Return the first page of another query.

        `hinted`: read it from the index `order.name()`. `same`: fields that have one value in all rows of the query.
        """
        sort = [(field, direction) for field, direction in order.spec() if field not in same]
        shown = projection(fields, order)
        cursor = SizedCursor(self._raw, query, shown, sort=sort, limit=limit + 1, batch_size=limit + 1)
        if collation := order.collation():
            cursor.collation(collation)
        if hinted:
            cursor.hint(order.name())
        rows, more = rows_within(cursor, limit, MAX_PAGE_BYTES)
        return Page(rows, order.key_of(rows[-1]) if more else None)

    def page_of_stages(self, stages: Sequence[Row], order: Order, limit: int) -> Page:
        """Return the page of an aggregation, which returns one more row when there are more.

        It is partial when a row with MARK follows its rows: there the aggregation ended before its rows did.
        """
        rows_without_zones = self._raw.with_options(codec_options=WITHOUT_ZONES)
        found = rows_without_zones.aggregate(list(stages), batchSize=limit + 2, collation=order.collation())
        rows, more = rows_within(found, limit, MAX_PAGE_BYTES)
        marked = next((number for number, row in enumerate(rows) if MARK in row), None)
        if marked is not None:
            return Page(rows[:marked], order.key_of(rows[marked]), partial=True)
        return Page(rows, order.key_of(rows[-1]) if more else None)

    def total(self, exact_up_to: int = 10_000) -> int | Row:
        """Return the number of documents, or {"value": n, "relation": "gte"} beyond the bound."""
        count = self._raw.count_documents(self._query, limit=exact_up_to + 1)
        return count if count <= exact_up_to else {"value": exact_up_to, "relation": "gte"}

    def count_up_to(self, number: int) -> int:
        """Return the number of documents, or `number` when there are more."""
        return self._raw.count_documents(self._query, limit=number)

    def rows(self, limit: int, fields: Iterable[str], sort: Sequence[tuple[str, int]] | None = None) -> list[Row]:
        """Return at most `limit` stored documents within the query, not hydrated."""
        projection = {name: _projection(name) for name in fields}
        return list(self._raw.find(self._query, projection, sort=sort, limit=limit, batch_size=limit))

    def piped(self, *stages: Row) -> list[Row]:
        """Return the results of an aggregation of the documents within the query."""
        return list(self._raw.aggregate([{"$match": self._query}, *stages]))

    def piped_rows(self, fields: Iterable[str], *stages: Row) -> list[Row]:
        """Return the results of an aggregation as `piped` does, with only these fields of the documents."""
        return self.piped(*stages, {"$project": {name: _projection(name) for name in fields}})

    def alive(self) -> Self:
        """Return the queryset without the documents that are in the trash."""
        return self.narrowed(deleted_at=None)

    @property
    def _raw(self) -> mongodb.Collection[Row]:
        return self._collection
