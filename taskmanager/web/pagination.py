"""Lists: the query parameters that all lists have, and the schema of a page.

A page has at most `limit` rows and MAX_PAGE_BYTES (see core/storage/querysets.py), but at least one row.

A cursor (`web/cursors.py`) contains the key of the last row of a page; its contents are not part of the API.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

import marshmallow as ma
from flask import request
from marshmallow import fields, validate

from taskmanager.core.errors import Malformed
from taskmanager.core.filters import nodes as filter_nodes
from taskmanager.core.filters.parser import parse
from taskmanager.core.filters.tokens import MAX_CHARACTERS, FilterError
from taskmanager.core.storage.orders import Key, Order
from taskmanager.web.contributed import LateMetadata
from taskmanager.web.cursors import read_cursor
from taskmanager.web.schemas import KEY, QueryFlag, Schema
from taskmanager.web.serialisers import Serialiser
from taskmanager.web.urls import absolute

MAX_LIMIT = 200
_DIGITS = re.compile(r"[0-9]{1,9}")


class IntegerParameter(fields.Integer):
    """A number in a query: ASCII digits. Python's `int` accepts `1_0`, ` 5 ` and digits of other scripts too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not _DIGITS.fullmatch(value):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class ListQuery(Schema):
    """Query parameters of every list."""

    limit = IntegerParameter(
        load_default=50,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": "The maximum of rows per page; a page of more than 4 MB ends early", "example": 50},
    )
    cursor = fields.String(
        validate=validate.Length(1, 2000), metadata={"description": "`next_cursor` of the previous page"}
    )
    with_total = QueryFlag(
        load_default=False,
        metadata={"description": "Add `total`: exact up to 10,000, then `{value, relation: gte}`"},
    )


class FieldsParameter(fields.String):
    """`?fields=id,title`: the fields to return."""

    def __init__(self, serialiser: Serialiser, *, listing: bool = True) -> None:
        self.serialiser = serialiser
        known = ", ".join(serialiser.names)
        more = f". Without it {', '.join(serialiser.long)} may be shortened" if listing and serialiser.long else ""
        super().__init__(metadata={"description": f"Return only these fields, separated by commas: {known}{more}"})
        word = "|".join(serialiser.names)
        self.documented = {"pattern": f"^(?:{word})(?:,(?:{word}))*$"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        names = tuple(super()._deserialize(value, attr, data, **kwargs).split(","))
        if unknown := [name for name in names if name not in self.serialiser.names]:
            raise ma.ValidationError(f"Unknown field: {unknown[0][:50]!r}.")
        return names


class SortParameter(fields.String):
    """`?sort=-due_at,priority`: one of a documented list of orders.

    `orders` maps the names that a list can be sorted by, and the allowed combinations (`due_at,priority`), to stored
    fields, the default first; one name may mean several fields (`at seq`). A family (`custom_fields`) means all names
    that begin with it.
    """

    def __init__(self, orders: Mapping[str, str], family: str | None = None) -> None:
        self.orders, self.family = orders, family
        default = next(iter(orders))
        forms = [",".join(f"-?{name}" for name in names.split(",")) for names in orders]
        known = ", ".join([*orders, *([f"{family}.<key>"] if family else [])])
        if family:
            forms.append(rf"-?{family}\.{KEY[1:-1]}")
        self.form = re.compile(pattern := f"^(?:{'|'.join(forms)})$")
        self.documented = {"pattern": pattern, "default": default, "example": f"-{default}"}
        description = f"One of {known}; a minus before a name reverses its direction"
        super().__init__(load_default=lambda: self.order(default), metadata={"description": description})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Order:  # type: ignore[override]
        text = super()._deserialize(value, attr, data, **kwargs)
        if text is None or not self.form.fullmatch(text):
            raise ma.ValidationError(f"Must be one of: {', '.join(self.orders)}, each name with or without a minus.")
        return self.order(text)

    def order(self, text: str) -> Order:
        """Return the order of a valid value of the parameter."""
        words = text.split(",")
        stored = self.orders.get(text.replace("-", ""), text.replace("-", "")).split(",")
        named = zip(stored, words, strict=True)
        return Order(tuple((field, word.startswith("-")) for fields, word in named for field in fields.split()))


class FilterParameter(LateMetadata, fields.String):
    """`?filter=status = open and assignee = me`, parsed into a GivenFilter."""

    def __init__(self, known: filter_nodes.FilterFields) -> None:
        self.known = known
        super().__init__(metadata={"example": "status = open and due_at < now+7d", "maxLength": MAX_CHARACTERS})

    def late_metadata(self) -> dict[str, Any]:
        return {"description": f"Only rows that match this filter; fields: {', '.join(self.known.names())}"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            node = parse(super()._deserialize(value, attr, data, **kwargs), self.known)
        except FilterError as error:
            raise ma.ValidationError(str(error)) from None
        return filter_nodes.GivenFilter(node)


class ExpandParameter(LateMetadata, fields.String):
    """`?expand=assignees,labels`: the objects to embed."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        super().__init__(load_default=lambda: ())

    def late_metadata(self) -> dict[str, Any]:
        return {"description": f"Embed these, separated by commas: {', '.join(self.names)}"}

    @property
    def documented(self) -> dict[str, Any]:
        """Return the OpenAPI properties beside those of its metadata."""
        word = "|".join(self.names)
        return {"pattern": f"^(?:{word})(?:,(?:{word}))*$"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        names = tuple(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs).split(",")))
        if unknown := [name for name in names if name not in self.names]:
            raise ma.ValidationError(f"Cannot be embedded: {unknown[0][:50]!r}.")
        return names


def list_query(
    serialiser: Serialiser,
    orders: Mapping[str, str],
    filters: filter_nodes.FilterFields | None = None,
    *,
    expand: Collection[str] | None = None,
    **more: Any,
) -> type[ListQuery]:
    """Return the query schema of a list; `orders` maps sortable names to stored fields, the default first.

    `expand` are the names of objects that can be embedded; `more` are further fields.
    """
    name = serialiser.schema.__name__ + "ListQuery"
    family = next(iter(filters.families), None) if filters is not None else None
    parts: dict[str, Any] = {"fields": FieldsParameter(serialiser), "sort": SortParameter(orders, family)}
    parts |= ({"filter": FilterParameter(filters)} if filters is not None else {}) | _embedding(expand) | more
    return type(name, (ListQuery,), parts | {"is_stable": not more})


def item_query(serialiser: Serialiser, *, expand: Collection[str] | None = None, **more: Any) -> type[Schema]:
    """Return the query schema of a single item; `more` are further fields."""
    return type(
        serialiser.schema.__name__ + "Query",
        (Schema,),
        {"fields": FieldsParameter(serialiser, listing=False)} | _embedding(expand) | more | {"is_stable": not more},
    )


def _embedding(expand: Collection[str] | None) -> dict[str, Any]:
    return {} if expand is None else {"expand": ExpandParameter(expand)}


class Total(fields.Field[Any]):
    """The number of rows of a list."""

    def __init__(self, description: str = "Only with `with_total=true`") -> None:
        super().__init__()
        counts = [{"type": "integer", "minimum": 0, "maximum": 10_000}, {"$ref": "#/components/schemas/AtLeast"}]
        self.documented = {"description": description, "anyOf": counts, "example": 1}


_PARTIAL = (
    "Only when it is true: few rows match the filter, and this page ends before all were compared with it. It may have"
    " no items; `next_cursor` goes on."
)


@cache
def page_of(schema: type[Schema], *, partial: bool = False) -> type[Schema]:
    """Return the schema of a page of `schema`, for the OpenAPI document. `partial`: its pages may be partial."""
    more = {"partial": fields.Boolean(metadata={"description": _PARTIAL, "example": True})} if partial else {}
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(schema), required=True),
            "next_cursor": fields.String(required=True, allow_none=True, metadata={"example": None}),
            "total": Total(),
            **more,
        },
        name=schema.__name__.removesuffix("Out") + "Page",
    )


@dataclass(frozen=True)
class PageRequest:
    """The parsed query of a list."""

    order: Order
    limit: int
    after: Key | None
    names: tuple[str, ...] | None
    with_total: bool
    bound: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any], *, order: Order | None = None, bound: str = "") -> "PageRequest":
        """Return the request of a parsed query, in the order of its `sort`, or in `order` for a list with a fixed one.

        `bound` is a text that the cursor is bound to besides the request, such as the revision of a stored view.
        Raises Malformed (`cursor.invalid`, `cursor.outdated`) for a cursor of another list.
        """
        cursor, order = query.get("cursor"), order or query["sort"]
        after = read_cursor(cursor, bound) if cursor else None
        if after and not order.fits(after):
            raise Malformed("The cursor is from an earlier release: begin the list again.", code="cursor.outdated")
        return cls(order, query["limit"], after, query.get("fields"), query["with_total"], bound)

    def page_of(self, serialiser: Serialiser, *more: str) -> dict[str, Any]:
        """Return the keyword arguments of `page`; `more` are stored fields that are needed beside the selected ones."""
        stored = [*serialiser.stored_of_list(self.names), *more]
        return {"order": self.order, "limit": self.limit, "after": self.after, "fields": stored}


def next_link(cursor: str) -> str:
    """Return the Link header's value (RFC 8288) for the next page of this request."""
    parameters = {**request.args.to_dict(), "cursor": cursor}
    return f'<{absolute(request.path)}?{urlencode(parameters)}>; rel="next"'
