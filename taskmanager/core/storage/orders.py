"""The orders of lists: total orders of stored fields, and the ranges of an index that follow a row.

Texts that people write are sorted by the root collation of CLDR, keys by the numbers in them.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import dropwhile
from typing import Any, NamedTuple

MAX_BRANCHES = 1_000  # of a query: MongoDB plans a thousand in 30 ms, and five thousand in 1.7 s
Row = dict[str, Any]  # a stored document, or a part of one
Filter = dict[str, Any]  # a MongoDB query
Key = list[Any]  # the values of a row by which an order sorts, the last of which is unique

# `en` tailors nothing. Tertiary strength, the default, compares letters, then accents, then case: two texts that look
# different are never equal, and keys and ids are equal exactly when they are equal without a collation.
COLLATION = {"locale": "en", "strength": 3}
# Stored fields with texts that people write. Custom fields (`custom_fields.…`) are ordered in the same way.
TEXT_FIELDS = frozenset({"name", "title"})

_NUMBER = re.compile("[0-9]+")
_DIGITS = 10


def natural_key(key: str) -> str:
    """Return a key whose order by code point is the order of its numbers: `APP-2` before `APP-10`."""
    return _NUMBER.sub(lambda found: found.group().zfill(_DIGITS), key)


class Order(NamedTuple):
    """A total order of a list: by stored fields, each ascending or descending; `_id` breaks ties, as the last field."""

    fields: tuple[tuple[str, bool], ...]  # (stored field, whether it descends)

    @classmethod
    def by(cls, *words: str) -> "Order":
        """Return the order of fields such as `-due_at`; a minus means descending."""
        return cls(tuple((word.removeprefix("-"), word.startswith("-")) for word in words))

    def spec(self, same: Collection[str] = ()) -> list[tuple[str, int]]:
        """Return the fields with their directions, from the first one on that is not in `same`.

        `same`: fields that have one value in all rows of a query, without `_id`. MongoDB merges scans neither in an
        order that begins with such a field nor in one that leaves it out between others, as the index has it.
        """
        fields = dropwhile(lambda field: field[0] in same, self._whole())
        return [(field, -1 if descending else 1) for field, descending in fields]

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
