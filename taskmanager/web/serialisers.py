"""Serialisers compiled from marshmallow schemas, for the answers that are many.

`schema.dump` walks its fields through several calls each; here the schema is turned once into a table from stored
names to fields, with a function for each whose stored value is not what clients get. The projection and the
renames come from the schema too, so nothing is written twice and a field that the schema hides cannot leak. A schema
that holds anything which is not known to give the same result is refused at import (`TypeError`), never approximated.
ADR 0007 says why, and what else was tried.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import marshmallow as ma
from marshmallow import fields

from taskmanager.core.clock import iso
from taskmanager.core.storage.querysets import Row, Shortened, shortened
from taskmanager.web import contributed, schemas

Convert = Callable[[Any], Any]

# Types of fields whose stored value is what clients get.
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
# Type of a field → what makes the answer of a stored value that is not None.
_CONVERTED: dict[type[Any], Convert] = {
    schemas.Id: str,
    schemas.Instant: iso,
    contributed.ChoiceList: list,
    schemas.Names: list,
    schemas.UniqueIds: lambda ids: [str(item) for item in ids],
}
# Type of a field → what makes the answer where nothing is stored; null for all others.
_EMPTY: dict[type[Any], Callable[[], Any]] = {
    schemas.Json: dict,
    contributed.ChoiceList: list,
    schemas.Names: list,
    schemas.UniqueIds: list,
    fields.List: list,
}


class Serialiser:
    """Turns stored documents into what `schema` answers. `names` are the fields a client may ask for.

    Lists shorten the texts in `long` unless a client asks for them by name.
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
        self.dump = self._compile(self.names)
        self._subset = lru_cache(maxsize=128)(self._compile)

    def stored(self, names: Iterable[str] | None = None) -> list[str]:
        """Return the stored fields needed to answer `names`, with the revision that makes the ETag."""
        return ["revision", *(self._sources[name] for name in names or self.names)]

    def stored_of_list(self, names: Iterable[str] | None = None) -> list[str]:
        """Return the same for an item of a list."""
        return (
            self.stored(names) if names else [Shortened(name) if name in self.long else name for name in self.stored()]
        )

    def list_item(self, names: tuple[str, ...] | None = None) -> Callable[[Row], Row]:
        """Return the function for an item of a list: some of the fields, or all with what is long shortened."""
        return self.only(names) if names else self._shorten

    def _shorten(self, row: Row) -> Row:
        item = self.dump(row)
        return item | {name: shortened(item[name]) for name in self.long if item[name]}

    def only(self, names: tuple[str, ...] | None) -> Callable[[Row], Row]:
        """Return the function for some of the fields, in the schema's order."""
        if not names:
            return self.dump
        return self._subset(tuple(name for name in self.names if name in names))

    def _compile(self, names: tuple[str, ...]) -> Callable[[Row], Row]:
        """Return the function that dumps these fields, in this order: it walks what is stored, which is mostly less."""
        nothing = dict.fromkeys(names)
        known = {self._sources[name]: (name, self._converters[name]) for name in names}
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
        """Return what makes the answer of a stored value; None where it is the answer itself. Raises TypeError."""
        if field.data_key not in (None, name) or field.dump_default is not ma.missing or "." in self._sources[name]:
            raise TypeError(f"no proven serialisation for {name}: data_key, dump_default and dotted names are none")
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
