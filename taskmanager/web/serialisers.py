"""Serialisers compiled from marshmallow schemas, for the responses of frequent requests.

`schema.dump` makes several calls for each field; here the schema is compiled once into a table from stored names to
fields, with a function for each field whose stored value must be converted. The projection and the renames come from
the schema too, so nothing is written twice and a field that the schema hides cannot leak. A schema with a field for
which the same result is not proven is refused at import (`TypeError`). ADR 0007 gives the reasons and the alternatives.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

import marshmallow as ma
from marshmallow import fields

from taskmanager.core.clock import iso
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import Shortened, shortened
from taskmanager.web import contributed, schemas

Convert = Callable[[Any], Any]

# Types of fields whose stored value is returned unchanged.
_PLAIN: frozenset[type[Any]] = frozenset(
    {
        fields.String,
        fields.Integer,
        fields.Boolean,
        contributed.ContributedName,
        schemas.Form,
        schemas.Text,
        schemas.Line,
        schemas.Email,
        schemas.Color,
        schemas.Json,
    }
)
# Type of a field → the function that converts a stored value that is not None.
_CONVERTED: dict[type[Any], Convert] = {
    schemas.Id: str,
    schemas.Instant: iso,
    contributed.ChoiceList: list,
    schemas.Names: list,
    schemas.UniqueIds: lambda ids: [str(item) for item in ids],
}
# Type of a field → the function that returns its value when nothing is stored; null for all other types.
_EMPTY: dict[type[Any], Callable[[], Any]] = {
    schemas.Json: dict,
    contributed.ChoiceList: list,
    schemas.Names: list,
    schemas.UniqueIds: list,
    fields.List: list,
}


class Serialiser:
    """Converts stored documents into the JSON of `schema`. `names` are the fields that a client may select.

    Lists shorten the texts in `long` unless a client selects them by name.
    """

    def __init__(self, schema: type[ma.Schema], *, long: tuple[str, ...] = ()) -> None:
        self.schema = schema
        instance = schema()
        if any(instance._hooks[kind] for kind in ("pre_dump", "post_dump")):
            raise TypeError(f"{schema.__name__} has hooks: it cannot be compiled")
        self._fields = {name: field for name, field in instance.fields.items() if not field.load_only}
        self._sources = {name: field.attribute or name for name, field in self._fields.items()}
        self._converters = {name: self._converter(name, field) for name, field in self._fields.items()}
        self.names = tuple(self._fields)
        self.long = long
        self._all_stored = ("revision", *self._sources.values())
        self.dump = self._compile(self.names, self._converters)
        self._listed = self._compile(self.names, self._converters | dict.fromkeys(long, shortened))
        self._subset = lru_cache(maxsize=128)(partial(self._compile, converters=self._converters))

    def stored(self, names: Iterable[str] | None = None) -> list[str]:
        """Return the stored fields that `names` need, and the revision for the ETag."""
        if not names:
            return list(self._all_stored)
        return ["revision", *(self._sources[name] for name in names)]

    def stored_of_list(self, names: Iterable[str] | None = None) -> list[str]:
        """Return the stored fields that an item of a list needs."""
        return (
            self.stored(names) if names else [Shortened(name) if name in self.long else name for name in self.stored()]
        )

    def list_item(self, names: tuple[str, ...] | None = None) -> Callable[[Row], Row]:
        """Return the function that dumps an item of a list: these fields, or all with long texts shortened."""
        return self.only(names) if names else self._listed

    def only(self, names: tuple[str, ...] | None) -> Callable[[Row], Row]:
        """Return the function that dumps these fields, in the schema's order; None means all."""
        if not names:
            return self.dump
        return self._subset(tuple(name for name in self.names if name in names))

    def _compile(self, names: tuple[str, ...], converters: Mapping[str, Convert | None]) -> Callable[[Row], Row]:
        """Return the function that dumps these fields, in this order.

        It iterates over the stored fields, which are usually fewer.
        """
        nothing = dict.fromkeys(names)
        known = {self._sources[name]: (name, converters[name]) for name in names}
        empty = tuple((name, _EMPTY[kind]) for name in names if (kind := type(self._fields[name])) in _EMPTY)

        def dump(row: Row) -> Row:
            item: Row = nothing.copy()
            for source, value in row.items():
                if value is not None and (found := known.get(source)):
                    name, convert = found
                    item[name] = convert(value) if convert else value
            for name, make in empty:
                if item[name] is None:
                    item[name] = make()
            return item

        return dump

    def _converter(self, name: str, field: Any) -> Convert | None:
        """Return the function that converts a stored value; None when it is returned unchanged. Raises TypeError."""
        if field.data_key not in (None, name) or field.dump_default is not ma.missing or "." in self._sources[name]:
            raise TypeError(f"no proven serialisation for {name}: no data_key, dump_default or dotted name is")
        kind = type(field)
        if kind is fields.Nested and not field.many:
            return Serialiser(type(field.schema)).dump
        if kind is fields.List and type(field.inner) is fields.Nested:
            return _each(Serialiser(type(field.inner.schema)).dump)
        if kind is schemas.RankedChoice:
            return field.choices.__getitem__
        if kind not in _PLAIN and kind not in _CONVERTED:
            raise TypeError(f"no proven serialisation for {name}: {kind.__name__}")
        return _CONVERTED.get(kind)


def _each(dump: Callable[[Row], Row]) -> Convert:
    return lambda rows: [dump(row) for row in rows]
