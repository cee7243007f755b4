"""What a filter says, as a tree; each node makes its part of a MongoDB query.

Nothing of the text gets into a query but as a value, or escaped in a pattern: operators and stored names come from
here and from the table of fields.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bson import ObjectId

from taskmanager.core.access import Actor, Visitor
from taskmanager.core.clock import now
from taskmanager.core.querysets import Filter
from taskmanager.core.zones import zone


@dataclass(frozen=True)
class Context:
    """Who asks, when and where: what `me`, `now` and `today` mean. `named` has the ids of what the filter names."""

    user_id: ObjectId | None
    now: datetime  # in the zone of the one who asks
    named: Mapping[str, list[ObjectId]] = field(default_factory=dict)

    @classmethod
    def of(cls, actor: Actor, named: Mapping[str, list[ObjectId]] | None = None) -> "Context":
        """As this actor means it now. A visitor is nobody: `me` is no account."""
        user_id = None if isinstance(actor, Visitor) else actor.user_id
        return cls(user_id, now().astimezone(zone(actor.timezone)), named or {})


Value = Callable[[Context], Any]


@dataclass(frozen=True)
class Named:
    """A value that stands for the ids of what has a name; who asks looks them up beforehand, all at once."""

    key: str

    def __call__(self, context: Context) -> list[ObjectId]:
        return context.named.get(self.key, [])


class Kind(Protocol):
    """What sort of things a field holds: which operators there are, and how values are read."""

    operators: frozenset[str]

    def read(self, text: str) -> Value:
        """The value that a word or string stands for. Raises ValueError with what is wrong."""

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        """The condition on the stored field."""


@dataclass(frozen=True)
class Field:
    """Something that can be filtered by."""

    stored: str
    kind: Kind


class Fields(dict[str, Field]):
    """What a list can be filtered by. A family is a beginning that stands for all fields whose names begin with it."""

    def __init__(self, fields: Mapping[str, Field], families: Mapping[str, Kind] | None = None) -> None:
        super().__init__(fields)
        self.families = families or {}

    def find(self, name: str) -> Field | None:
        """The field of this name; None when there is none."""
        family, dot, key = name.partition(".")
        if dot and family in self.families and _MEMBER.fullmatch(key):
            return Field(name, self.families[family])
        return self.get(name)

    def names(self) -> list[str]:
        """What to tell people."""
        return [*self, *(f"{family}.…" for family in self.families)]


_MEMBER = re.compile("[a-z][a-z0-9_]{0,29}")


class Node(Protocol):
    """A part of a filter."""

    def values(self) -> Iterator[Value]:
        """All values in it."""

    def query(self, context: Context) -> Filter:
        """The MongoDB query for what this part says."""


@dataclass(frozen=True)
class Condition:
    """`field operator values`."""

    field: Field
    operator: str
    given: tuple[Value, ...] = ()

    def values(self) -> Iterator[Value]:
        return iter(self.given)

    def query(self, context: Context) -> Filter:
        return self.field.kind.query(self.field.stored, self.operator, [value(context) for value in self.given])


@dataclass(frozen=True)
class Every:
    """All parts hold."""

    parts: tuple[Node, ...]

    def values(self) -> Iterator[Value]:
        return (value for part in self.parts for value in part.values())

    def query(self, context: Context) -> Filter:
        return {"$and": [part.query(context) for part in self.parts]}


@dataclass(frozen=True)
class Some:
    """At least one part holds."""

    parts: tuple[Node, ...]

    def values(self) -> Iterator[Value]:
        return (value for part in self.parts for value in part.values())

    def query(self, context: Context) -> Filter:
        return {"$or": [part.query(context) for part in self.parts]}


@dataclass(frozen=True)
class Negation:
    """A condition does not hold. There is no third truth: what a missing value is not, it is not."""

    part: Condition

    def values(self) -> Iterator[Value]:
        return self.part.values()

    def query(self, context: Context) -> Filter:
        query = self.part.query(context)
        stored, condition = next(iter(query.items()))
        if len(query) == 1 and isinstance(condition, dict) and not stored.startswith("$"):
            return {stored: {"$not": condition}}  # which an index can answer
        return {"$nor": [query]}


def negated(node: Node) -> Node:
    """What holds where the node does not, with negations at the conditions only (De Morgan)."""
    if isinstance(node, Every):
        return Some(tuple(negated(part) for part in node.parts))
    if isinstance(node, Some):
        return Every(tuple(negated(part) for part in node.parts))
    if isinstance(node, Negation):
        return node.part
    if not isinstance(node, Condition):
        raise TypeError(node)
    return Negation(node)


_MOST_BRANCHES = 16


def branches(node: Node, context: Context) -> list[Filter]:
    """Queries one of which holds where the node does, each without an "or" of its own as far as that stays few.

    MongoDB answers each from an index, in the order that is wanted, and merges them; it does not split an "or" that
    stands inside of an "and".
    """
    split = _split(node, context)
    return split if len(split) <= _MOST_BRANCHES else [node.query(context)]


def _split(node: Node, context: Context) -> list[Filter]:
    if isinstance(node, Some):
        return [query for part in node.parts for query in _split(part, context)]
    if isinstance(node, Every):
        found: list[list[Filter]] = [[]]
        for part in node.parts:
            found = [[*before, query] for before in found for query in _split(part, context)]
            if len(found) > _MOST_BRANCHES:
                return [node.query(context)]
        return [{"$and": queries} for queries in found]
    return _flat(node.query(context))


def _flat(query: Filter) -> list[Filter]:
    """The branches of a condition that is itself an "or", such as one on times on the wall."""
    return [flat for part in query["$or"] for flat in _flat(part)] if query.keys() == {"$or"} else [query]
