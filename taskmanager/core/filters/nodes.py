"""What a filter says, as a tree; each node makes its part of a MongoDB query.

Nothing of the text gets into a query but as a value, or escaped in a pattern: operators and stored names come from
here and from the table of fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bson import ObjectId

from taskmanager.core.querysets import Filter


@dataclass(frozen=True)
class Context:
    """Who asks, and when: what `me` and `now` mean."""

    user_id: ObjectId
    now: datetime


Value = Callable[[Context], Any]


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


class Node(Protocol):
    """A part of a filter."""

    def query(self, context: Context) -> Filter:
        """The MongoDB query for what this part says."""


@dataclass(frozen=True)
class Condition:
    """`field operator values`."""

    field: Field
    operator: str
    values: tuple[Value, ...] = ()

    def query(self, context: Context) -> Filter:
        return self.field.kind.query(self.field.stored, self.operator, [value(context) for value in self.values])


@dataclass(frozen=True)
class Every:
    """All parts hold."""

    parts: tuple[Node, ...]

    def query(self, context: Context) -> Filter:
        return {"$and": [part.query(context) for part in self.parts]}


@dataclass(frozen=True)
class Some:
    """At least one part holds."""

    parts: tuple[Node, ...]

    def query(self, context: Context) -> Filter:
        return {"$or": [part.query(context) for part in self.parts]}


@dataclass(frozen=True)
class Negation:
    """The part does not hold. There is no third truth: what a missing value is not, it is not."""

    part: Node

    def query(self, context: Context) -> Filter:
        return {"$nor": [self.part.query(context)]}
