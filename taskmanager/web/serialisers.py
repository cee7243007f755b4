"""Serialisers compiled from marshmallow schemas, for the answers that are many.

`schema.dump` walks its fields through several calls each; here the schema is turned once into one Python
expression over the stored document. The projection and the renames come from the schema too, so nothing is
written twice and a field that the schema hides cannot leak. A schema that holds anything which is not
known to give the same result is refused at import (`TypeError`), never approximated.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import marshmallow as ma
from marshmallow import fields

from taskmanager.core.clock import iso
from taskmanager.core.storage.querysets import Row, Shortened, shortened
from taskmanager.web import contributed, schemas

# Field type → expression over {value}, the stored value, which may be None.
_AS_IT_IS = "{value}"
_EXPRESSIONS: dict[type[Any], str] = {
    fields.String: _AS_IT_IS,
    fields.Integer: _AS_IT_IS,
    fields.Boolean: _AS_IT_IS,
    contributed.ContributedName: _AS_IT_IS,
    schemas.Form: _AS_IT_IS,
    schemas.Text: _AS_IT_IS,
    schemas.Line: _AS_IT_IS,
    schemas.Email: _AS_IT_IS,
    schemas.Color: _AS_IT_IS,
    schemas.Id: "None if (v := {value}) is None else str(v)",
    schemas.Instant: "None if (v := {value}) is None else iso(v)",
    schemas.Json: "{value} or {{}}",
    contributed.Words: "list({value} or ())",
    schemas.Names: "list({value} or ())",
    schemas.UniqueIds: "[str(i) for i in {value} or ()]",
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
        self.names = tuple(self._fields)
        self.long = long
        self.dump = self._compile(self.names)
        self._subset = lru_cache(maxsize=128)(self._compile)

    def stored(self, names: Iterable[str] | None = None) -> list[str]:
        """The stored fields needed to answer `names`, with the revision that makes the ETag."""
        return ["revision", *(_source(name, self._fields[name]) for name in names or self.names)]

    def stored_of_list(self, names: Iterable[str] | None = None) -> list[str]:
        """The same for an item of a list."""
        return (
            self.stored(names) if names else [Shortened(name) if name in self.long else name for name in self.stored()]
        )

    def list_item(self, names: tuple[str, ...] | None = None) -> Callable[[Row], Row]:
        """The function for an item of a list: some of the fields, or all with what is long shortened."""
        return self.only(names) if names else self._shorten

    def _shorten(self, row: Row) -> Row:
        item = self.dump(row)
        return item | {name: shortened(item[name]) for name in self.long if item[name]}

    def only(self, names: tuple[str, ...] | None) -> Callable[[Row], Row]:
        """The function for some of the fields, in the schema's order."""
        if not names:
            return self.dump
        return self._subset(tuple(name for name in self.names if name in names))

    def _compile(self, names: tuple[str, ...]) -> Callable[[Row], Row]:
        scope: dict[str, Any] = {"iso": iso}
        parts = [self._part(name, scope) for name in names]
        return eval(f"lambda row: {{{', '.join(parts)}}}", scope)  # noqa: S307 made of the schema's own names

    def _part(self, name: str, scope: dict[str, Any]) -> str:
        field = self._fields[name]
        expression = _expression(field, name, scope).format(value=f"row.get({_source(name, field)!r})")
        return f"{name!r}: {expression}"


def _source(name: str, field: Any) -> str:
    return field.attribute or name


def _expression(field: Any, name: str, scope: dict[str, Any]) -> str:
    if field.data_key not in (None, name) or field.dump_default is not ma.missing or "." in _source(name, field):
        raise TypeError(f"no proven serialisation for {name}: data_key, dump_default and dotted names are not compiled")
    if type(field) is fields.Nested and not field.many:
        scope[f"nested_{name}"] = Serialiser(type(field.schema)).dump
        return f"None if (v := {{value}}) is None else nested_{name}(v)"
    if type(field) is fields.List and type(field.inner) is fields.Nested:
        scope[f"nested_{name}"] = Serialiser(type(field.inner.schema)).dump
        return f"[nested_{name}(v) for v in {{value}} or ()]"
    if type(field) is schemas.Choice:
        scope[f"choices_{name}"] = field.choices
        return f"None if (v := {{value}}) is None else choices_{name}[v]"
    if type(field) not in _EXPRESSIONS:
        raise TypeError(f"no proven serialisation for {name}: {type(field).__name__}")
    return _EXPRESSIONS[type(field)]
