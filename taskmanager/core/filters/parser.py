"""The parser of filters: from text to a syntax tree.

either    = both { "or" both }
both      = negated { "and" negated }
negated   = "not" negated | "(" either ")" | condition
condition = field operator value | field ["not"] "in" list | field "is" ["not"] "null"
list      = "[" value { "," value } "]" | "(" value { "," value } ")"
"""

from collections.abc import Callable

from taskmanager.core.filters.nodes import AllOf, AnyOf, Condition, FilterField, FilterFields, Given, Node, negated
from taskmanager.core.filters.tokens import FilterError, FilterToken, tokens

_MAX_DEPTH = 10
_MAX_CONDITIONS = 50
_MAX_VALUES = 100
_CLOSING = {"(": ")", "[": "]"}


def parse(text: str, fields: FilterFields) -> Node:
    """Return the syntax tree of a filter over these fields. Raises FilterError."""
    return _Parser(text, fields).whole()


class _Parser:
    def __init__(self, text: str, fields: FilterFields) -> None:
        self.remaining = tokens(text)[::-1]
        self.fields = fields
        self.conditions = 0

    def whole(self) -> Node:
        node = self.either(0)
        if self.next.kind != "end":
            raise FilterError(self.next.column, f"{self.next.text[:50]!r} cannot follow here.")
        return node

    @property
    def next(self) -> FilterToken:
        return self.remaining[-1]

    def take(self, *texts: str, kind: str) -> FilterToken | None:
        """Consume and return the next token if it is one of these; None otherwise."""
        known = self.next.kind == kind and self.next.text in texts
        return self.remaining.pop() if known else None

    def demand(self, *texts: str, kind: str) -> FilterToken:
        token = self.take(*texts, kind=kind)
        if token is None:
            raise FilterError(self.next.column, f"here must be {' or '.join(texts)}.")
        return token

    def either(self, depth: int) -> Node:
        return self.chain("or", self.both, AnyOf, depth)

    def both(self, depth: int) -> Node:
        return self.chain("and", self.negated, AllOf, depth)

    def chain(
        self, word: str, part: Callable[[int], Node], join: Callable[[tuple[Node, ...]], Node], depth: int
    ) -> Node:
        parts = [part(depth)]
        while self.take(word, kind="keyword"):
            parts.append(part(depth))
        return join(tuple(parts)) if len(parts) > 1 else parts[0]

    def negated(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise FilterError(self.next.column, f"a filter is at most {_MAX_DEPTH} levels deep.")
        if self.take("not", kind="keyword"):
            return negated(self.negated(depth + 1))
        if self.take("(", kind="mark"):
            node = self.either(depth + 1)
            self.demand(")", kind="mark")
            return node
        return self.condition()

    def condition(self) -> Node:
        name = self.remaining.pop() if self.next.kind == "word" else None
        field = name and self.fields.find(name.text)
        if not name or not field:
            known = ", ".join(self.fields.names())
            raise FilterError((name or self.next).column, f"here must be a field, one of {known}.")
        self.conditions += 1
        if self.conditions > _MAX_CONDITIONS:
            raise FilterError(name.column, f"a filter has at most {_MAX_CONDITIONS} conditions.")
        column = self.next.column
        operator = self.operator()
        if operator not in field.kind.operators:
            known = ", ".join(sorted(field.kind.operators))
            raise FilterError(column, f"{name.text} can be asked with {known}.")
        return Condition(field, operator, self.values(field, operator), name.column, column)

    def operator(self) -> str:
        if self.next.kind == "operator":
            return self.remaining.pop().text
        if self.take("is", kind="keyword"):
            negated = self.take("not", kind="keyword")
            self.demand("null", kind="keyword")
            return "is not null" if negated else "is null"
        negated = self.take("not", kind="keyword")
        if not self.take("in", kind="keyword"):
            raise FilterError(self.next.column, "here must be an operator, like =, in, is null.")
        return "not in" if negated else "in"

    def values(self, field: FilterField, operator: str) -> tuple[Given, ...]:
        if operator in ("is null", "is not null"):
            return ()
        if operator not in ("in", "not in"):
            return (self.value(field, operator),)
        opening = self.demand(*_CLOSING, kind="mark")
        found = [self.value(field)]
        while self.take(",", kind="mark"):
            found.append(self.value(field))
        self.demand(_CLOSING[opening.text], kind="mark")
        if len(found) > _MAX_VALUES:
            raise FilterError(opening.column, f"a list has at most {_MAX_VALUES} values.")
        return tuple(found)

    def value(self, field: FilterField, operator: str = "=") -> Given:
        token = self.next
        if token.kind not in ("word", "string"):
            raise FilterError(token.column, "here must be a value; put words of the language into quotes.")
        self.remaining.pop()
        if operator == "~" and not token.text:
            raise FilterError(token.column, "everything contains nothing: say what it must contain.")
        try:
            return Given(token.text, token.column, field.kind.read(token.text), token.end)
        except ValueError as error:
            raise FilterError(token.column, f"{token.text[:50]!r} {error}") from None
