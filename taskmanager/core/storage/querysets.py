"""Words that every QuerySet knows. Lists and hot reads return rows (plain dictionaries), not documents:
hydrating documents is what makes a list of fifty slow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from bson import ObjectId
from mongoengine.queryset import QuerySet

from taskmanager.core.errors import NotFound
from taskmanager.core.storage.collation import COLLATION, TEXT_FIELDS

MAX_PAGE_BYTES = 4_000_000  # of the rows of one page: one that would be larger ends early, and the next goes on
MAX_BRANCHES = 1_000  # of a query: MongoDB plans a thousand in 30 ms, and five thousand in 1.7 s
MAX_LISTED_CHARACTERS = 500  # of a text that lists shorten
Row = dict[str, Any]
Filter = dict[str, Any]


class Order(NamedTuple):
    """One total order of a list: by stored fields, each up or down; ties are broken by `_id` as the last one goes."""

    fields: tuple[tuple[str, bool], ...]  # (stored field, whether it descends)

    @classmethod
    def by(cls, *words: str) -> "Order":
        """Return from words such as `-due_at`: a minus says that it descends."""
        return cls(tuple((word.removeprefix("-"), word.startswith("-")) for word in words))

    def spec(self) -> list[tuple[str, int]]:
        return [(field, -1 if descending else 1) for field, descending in self._whole()]

    def key_of(self, row: Row) -> list[Any]:
        """Return what a cursor remembers of the last row."""
        return [_value(row, field) for field, _ in self._whole()]

    def fits(self, key: Sequence[Any]) -> bool:
        """Return whether a cursor's key has the parts that this order has: a later release may sort by other fields."""
        return len(key) == len(self._whole())

    def stored(self) -> list[str]:
        """Return the fields that a row must have."""
        return [field.partition(".")[0] for field, _ in self.fields]

    def collation(self) -> Mapping[str, Any] | None:
        """Return how texts are compared in this order; the index must have the same. None: by code point."""
        return COLLATION if any("." in field or field in TEXT_FIELDS for field, _ in self.fields) else None

    def name(self) -> str:
        """Return what the index is called that gives this order, forwards or backwards."""
        opposed = len({descending for _, descending in self.fields}) > 1
        return "list_" + "_".join(field for field, _ in self.fields) + ("_opposed" if opposed else "")

    def begin(self, query: Filter) -> Filter:
        """Return `query` in branches that each lie in one stretch of the index."""
        parts = _spread(query)
        if len(parts) > MAX_BRANCHES:
            return query
        return {"$or": parts} if len(parts) > 1 else parts[0]

    def within(self, query: Filter, key: Sequence[Any]) -> Filter:
        """Return `query` for the rows that follow `key`: one branch for each stretch of the index that they can lie in.

        MongoDB merges such branches in order and reads no more of each than it needs. It does not find them by
        itself where a query has an `$in`: it would read all that lies before, and sort. Beyond MAX_BRANCHES it does,
        as planning them would take longer.
        """
        stretches, parts = self._stretches(key), _spread(query)
        if len(stretches) * len(parts) > MAX_BRANCHES:
            return {"$and": [query, {"$or": stretches}]}
        return {"$or": [{"$and": [part, stretch]} for part in parts for stretch in stretches]}

    def _stretches(self, key: Sequence[Any]) -> list[Filter]:
        """Return what follows `key` for one value of the index's prefix: first what shares most of it with the key."""
        whole = self._whole()
        found = []
        for place in reversed(range(len(whole))):
            same = {
                field: _ABSENT if value is None else value
                for (field, _), value in zip(whole[:place], key, strict=False)
            }
            field, descending = whole[place]
            found += [same | beyond for beyond in _beyond(field, descending, key[place])]
        return found

    def _whole(self) -> tuple[tuple[str, bool], ...]:
        """Return with `_id`, which no two rows share: nothing that came after it could matter."""
        ends = [field for field, _ in self.fields].count("_id")
        return self.fields if ends else (*self.fields, ("_id", self.fields[-1][1]))


# Ids of two processes do not follow the time within a second, so what was made is in the order of its time of creation.
CREATED, NEWEST = Order.by("created_at"), Order.by("-created_at")
HAPPENED = Order.by("at", "seq")  # of events


def _beyond(field: str, descending: bool, value: Any) -> list[Filter]:
    """Return the conditions for what comes after a value of a field. MongoDB sorts null before everything else."""
    if "." in field:
        return _beyond_any(field, descending, value)
    if value is not None:
        absent = [] if field in _NEVER_ABSENT else [{field: _ABSENT}]
        return [{field: {"$lt": value}}, *absent] if descending else [{field: {"$gt": value}}]
    return [] if descending else [{field: {"$gte": _MIN_VALUE.get(field, _EARLIEST)}}]


def _beyond_any(field: str, descending: bool, value: Any) -> list[Filter]:
    """Return the same of a field that may hold values of several types: these have an order, but `$gt` stays within
    one.
    """
    if value is None:
        return [] if descending else [{field: {"$exists": True}}]
    return [{"$expr": {"$lt" if descending else "$gt": [f"${field}", {"$literal": value}]}}]


def _value(row: Row, field: str) -> Any:
    """Return the value of a field, which may be one of a family, such as `custom_fields.points`."""
    family, dot, name = field.partition(".")
    return row.get(family, {}).get(name) if dot else row.get(field)


_NEVER_ABSENT = ("_id", "created_at", "at", "seq", "name", "title")
_MIN_VALUE = {"key_order": ""}
# But for that, only dates may be missing from what an index sorts by: "not null" is "a date", one stretch and not two.
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
# Nothing is stored as null (see `Versioned.write`), and to ask for null would be to ask for "undefined" as well.
_ABSENT = {"$exists": False}


def _spread(query: Filter) -> list[Filter]:
    """Return a query for several values of a field, or with an "or", as one query for each."""
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


class Shortened(str):
    """The name of a stored text of which a list reads no more than it shows, and one character."""


def _read(name: str) -> Any:
    """Return what a projection says of a field."""
    if not isinstance(name, Shortened):
        return 1
    beginning = {"$substrCP": [f"${name}", 0, MAX_LISTED_CHARACTERS + 1]}
    return {"$cond": [{"$gt": [f"${name}", None]}, beginning, "$$REMOVE"]}


def shortened(text: str) -> str:
    """Return a text as lists show it."""
    return text if len(text) <= MAX_LISTED_CHARACTERS else text[:MAX_LISTED_CHARACTERS] + "…"


def _bounded(cursor: Any, limit: int) -> tuple[list[Row], bool]:
    """Return the rows that fit into a page, and whether there are more."""
    rows: list[Row] = []
    size = 0
    with cursor:
        for row in cursor:
            size += _size(row)
            if len(rows) == limit or (rows and size > MAX_PAGE_BYTES):
                return rows, True
            rows.append(row)
    return rows, False


def _size(value: Any) -> int:
    """Return about how many bytes a stored value has."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 8


@dataclass(frozen=True)
class Page:
    """A slice of a list: at most `limit` rows, and the key to go on after when there are more."""

    rows: list[Row]
    next_key: list[Any] | None = None

    def first(self, count: int, order: Order) -> "Page":
        """Return the page with at most the first `count` rows."""
        return self if count >= len(self.rows) else Page(self.rows[:count], order.key_of(self.rows[count - 1]))


class BaseQuerySet(QuerySet):
    """Base of all QuerySets."""

    def one(self, item_id: ObjectId) -> Any:
        """Return the document with this id within the query. Raises NotFound."""
        document = self.filter(id=item_id).first()
        if document is None:
            raise NotFound
        return document

    def row(self, value: Any, fields: Iterable[str] | None = None, *, by: str = "_id") -> Row:
        """Return the stored form of the document within the query that has a unique `value`, without hydrating it.

        Raises NotFound.
        """
        # both conditions, side by side: the query may say of `_id` what the caller may see
        row = self._raw.find_one({"$and": [{by: value}, self._query]}, fields and list(fields))
        if row is None:
            raise NotFound
        return row

    def check_exists(self, item_id: ObjectId) -> None:
        """Raise NotFound unless a document with this id is within the query."""
        self.row(item_id, ["_id"])

    def page(
        self,
        order: Order,
        limit: int,
        *,
        after: Sequence[Any] | None = None,
        fields: Iterable[str] | None = None,
        hinted: bool = False,
    ) -> Page:
        """Return the rows after the key `after`, in one round trip; its cost does not grow with the depth.

        At most `limit` rows, and after the first no more than fit into MAX_PAGE_BYTES.
        `hinted`: the collection has an index called `order.name()`, that is to be used whatever else is asked.
        """
        query = order.within(self._query, after) if after else order.begin(self._query)
        projection = fields and {name: _read(name) for name in [*fields, *order.stored()]}
        cursor = self._raw.find(query, projection, sort=order.spec(), limit=limit + 1, batch_size=limit + 1)
        if collation := order.collation():
            cursor = cursor.collation(collation)
        rows, more = _bounded(cursor.hint(order.name()) if hinted else cursor, limit)
        return Page(rows, order.key_of(rows[-1]) if more else None)

    def total(self, exact_up_to: int = 10_000) -> int | Row:
        """Return how many there are: a number, or {"value": n, "relation": "gte"} beyond the bound."""
        count = self._raw.count_documents(self._query, limit=exact_up_to + 1)
        return count if count <= exact_up_to else {"value": exact_up_to, "relation": "gte"}

    def count_up_to(self, number: int) -> int:
        """Return how many there are, or `number` when there are more."""
        return self._raw.count_documents(self._query, limit=number)

    def rows(self, limit: int, fields: Iterable[str], sort: Any = None) -> list[Row]:
        """Return at most `limit` stored documents within the query, not hydrated."""
        projection = {name: _read(name) for name in fields}
        return list(self._raw.find(self._query, projection, sort=sort, limit=limit, batch_size=limit))

    def piped(self, *stages: Row) -> list[Row]:
        """Return what an aggregation makes of the documents within the query."""
        return list(self._raw.aggregate([{"$match": self._query}, *stages]))

    def piped_rows(self, fields: Iterable[str], *stages: Row) -> list[Row]:
        """Return as `piped`, with these fields of the documents only."""
        return self.piped(*stages, {"$project": {name: _read(name) for name in fields}})

    def alive(self) -> Self:
        """Return without what is in the trash."""
        return self.filter(deleted_at=None)

    @property
    def _raw(self) -> Any:
        return self._collection
