"""The syntax tree of a filter; each node returns its part of a MongoDB query.

The text of a filter gets into a query only as a value, or escaped in a pattern. Operators and stored names come from
this module and from the table of fields.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Protocol

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.security.access import Actor, Visitor
from taskmanager.core.storage.orders import Filter
from taskmanager.core.zones import zone


@dataclass(frozen=True)
class Context:
    """The actor and time that define `me`, `now` and `today`. `named` maps the column of a name to its meaning."""

    user_id: ObjectId | None
    now: datetime  # in the zone of the actor
    named: Mapping[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, actor: Actor, named: Mapping[int, Any] | None = None) -> "Context":
        """Return the context for a request of this actor. For a visitor `me` matches no account."""
        user_id = None if isinstance(actor, Visitor) else actor.user_id
        return cls(user_id, now().astimezone(zone(actor.timezone)), named or {})


Value = Callable[[Context], Any]


@dataclass(frozen=True)
class Named:
    """A value that is the name or id of something that must exist: `sort` is its kind, `key` the key of its lookup.

    `meaning` is its value when nothing was looked up, as for ids.
    """

    sort: str
    key: Any
    meaning: Any = None

    def __call__(self, context: Context) -> Any:
        return self.meaning


@dataclass(frozen=True)
class Given:
    """A value in the text of a filter, from `column` to before `end`; `value` is its parsed form."""

    text: str
    column: int
    value: Value
    end: int = 0

    def __call__(self, context: Context) -> Any:
        return context.named[self.column] if self.column in context.named else self.value(context)


@dataclass(frozen=True)
class Mention:
    """A name in a filter, and its condition. `negative`: the condition matches what does not have this name."""

    given: Given
    named: Named
    negative: bool
    condition: "Condition"


class FieldKind(Protocol):
    """The type of a field: its operators, and how its values are parsed."""

    operators: frozenset[str]

    def read(self, text: str) -> Value:
        """Return the value of a word or string. Raises ValueError with the reason."""

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        """Return the MongoDB query for the stored field."""


@dataclass(frozen=True)
class FilterField:
    """A field that filters support."""

    stored: str
    kind: FieldKind


class FilterFields:
    """The fields that a list can be filtered by. A family is a prefix for all fields whose names begin with it."""

    def __init__(self, fields: Mapping[str, FilterField], families: Mapping[str, FieldKind] | None = None) -> None:
        self.fields, self.families = fields, families or {}

    def find(self, name: str) -> FilterField | None:
        """Return the field of this name; None when there is none."""
        family, dot, key = name.partition(".")
        if dot and family in self.families and _MEMBER.fullmatch(key):
            return FilterField(name, self.families[family])
        return self.fields.get(name)

    def names(self) -> list[str]:
        """Return the names for error messages, a family as `name.…`."""
        return [*self.fields, *(f"{family}.…" for family in self.families)]


_MEMBER = re.compile("[a-z][a-z0-9_]{0,29}")


class Node(Protocol):
    """A part of a filter."""

    def mentions(self, negative: bool = False) -> Iterator[Mention]:
        """Yield all names in this part."""

    def query(self, context: Context) -> Filter:
        """Return the MongoDB query for this part."""


_NEGATIVE = frozenset({"!=", "not in"})


@dataclass(frozen=True)
class Condition:
    """`field operator values`; `column` and `operator_column` are the positions of its field and its operator."""

    field: FilterField
    operator: str
    given: tuple[Given, ...] = ()
    column: int = 1
    operator_column: int = 1

    def mentions(self, negative: bool = False) -> Iterator[Mention]:
        for given in self.given:
            if isinstance(given.value, Named):
                yield Mention(given, given.value, negative != (self.operator in _NEGATIVE), self)

    def query(self, context: Context) -> Filter:
        return self.field.kind.query(self.field.stored, self.operator, [value(context) for value in self.given])


@dataclass(frozen=True)
class _Joined:
    """Several parts, joined by an operator of MongoDB."""

    operator: ClassVar[str]
    parts: tuple[Node, ...]

    def mentions(self, negative: bool = False) -> Iterator[Mention]:
        return (found for part in self.parts for found in part.mentions(negative))

    def query(self, context: Context) -> Filter:
        return {self.operator: [part.query(context) for part in self.parts]}


class AllOf(_Joined):
    """All parts hold."""

    operator = "$and"


class AnyOf(_Joined):
    """At least one part holds."""

    operator = "$or"


@dataclass(frozen=True)
class Negation:
    """A condition does not hold. There is no three-valued logic: every row matches either the condition or this."""

    part: Condition

    def mentions(self, negative: bool = False) -> Iterator[Mention]:
        return self.part.mentions(not negative)

    def query(self, context: Context) -> Filter:
        query = self.part.query(context)
        stored, condition = next(iter(query.items()))
        if len(query) == 1 and isinstance(condition, dict) and not stored.startswith("$"):
            return {stored: {"$not": condition}}  # an index can serve this
        return {"$nor": [query]}


@dataclass(frozen=True)
class Within:
    """A part that is evaluated only for the rows of the query `places`, and is false for all others."""

    places: Filter
    part: Condition | Negation

    def mentions(self, negative: bool = False) -> Iterator[Mention]:
        return self.part.mentions(negative)

    def query(self, context: Context) -> Filter:
        return {"$and": [self.places, self.part.query(context)]}


def negated(node: Node) -> Node:
    """Return the negation of a node, with negations at the conditions only (De Morgan)."""
    if isinstance(node, AllOf):
        return AnyOf(tuple(negated(part) for part in node.parts))
    if isinstance(node, AnyOf):
        return AllOf(tuple(negated(part) for part in node.parts))
    if isinstance(node, Negation):
        return node.part
    if not isinstance(node, Condition):
        raise TypeError(node)
    return Negation(node)


# What a condition on a field of a family means: pairs of a query for some rows (None: all rows), and their condition.
Readings = list[tuple[Filter | None, Condition]]


def conditions(node: Node) -> Iterator[Condition]:
    """Yield all conditions of a filter as `parse` makes it."""
    if isinstance(node, AllOf | AnyOf):
        for part in node.parts:
            yield from conditions(part)
    elif isinstance(node, Negation):
        yield node.part
    elif isinstance(node, Condition):
        yield node


def defined(node: Node, readings: Callable[[Condition], Readings | None]) -> Node:
    """Return the filter with conditions replaced by what `readings` returns for them; None keeps a condition.

    A row that no replacement applies to matches neither the condition nor its negation.
    """
    if isinstance(node, AllOf | AnyOf):
        return replace(node, parts=tuple(defined(part, readings) for part in node.parts))
    condition = node.part if isinstance(node, Negation) else node
    found = readings(condition) if isinstance(condition, Condition) else None
    if found is None:
        return node
    parts = [_reading(places, part, isinstance(node, Negation)) for places, part in found]
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _reading(places: Filter | None, condition: Condition, negative: bool) -> Node:
    part = Negation(condition) if negative else condition
    return part if places is None else Within(places, part)


@dataclass(frozen=True)
class GivenFilter:
    """A filter of a request or a stored one.

    `location` is where the request has it, for errors. `references` has the ids that names had when the filter was
    stored, by column. `scope` are the projects that names are looked up in, unless they follow from the request. With
    `everywhere`, a name in a negative condition must be known in each of them.
    """

    node: Node
    location: str = "query.filter"
    references: Mapping[int, list[ObjectId]] = field(default_factory=dict)
    scope: Iterable[ObjectId] | None = None
    everywhere: bool = False
