"""MongoEngine documents that are made, validated and stored in a fraction of the time.

MongoEngine decides at each use of each field what a value of it may be: a document of forty fields takes several
hundred microseconds to make, and as long again to store. `CompiledDocument` decides once for each class (see
`field_rules`). It has no signals and no `get_<field>_display`. A class with other fields than those known there is
handled by MongoEngine alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

from bson import SON
from mongoengine import BinaryField, Document
from mongoengine.errors import ValidationError
from mongoengine.queryset import transform

from taskmanager.core.mapping.field_rules import KNOWN, FieldRule
from taskmanager.core.storage.orders import Row

_NO_FIELDS: SON[str, Any] = SON()
_set = object.__setattr__  # MongoEngine's own looks for a shard key at each attribute


class _Compiled:
    """The fields of a class of documents."""

    def __init__(self, document: type[Document]) -> None:
        self.rules = {name: FieldRule(name, document._fields[name]) for name in document._fields_ordered}
        converted = {name for name, rule in self.rules.items() if type(rule.field) is BinaryField}
        self.settable = self.rules.keys() - converted - {document._meta["id_field"]}
        self.required = [name for name, rule in self.rules.items() if rule.required]
        self.by_stored_name = {rule.stored_name: rule for rule in self.rules.values()}
        self.empty: Row = {}
        self.makers: list[tuple[str, Callable[[], Any]]] = []
        for name, rule in self.rules.items():
            rule.field.set_auto_dereferencing(False)  # there are no references, and looking for them takes long
            default = rule.field.default
            self.empty[name] = None if callable(default) else default
            if callable(default):
                self.makers.append((name, default))


_compiled: dict[type[Document], _Compiled | None] = {}


def _of(document: type[Document]) -> _Compiled | None:
    """Return the compiled fields of a class; None when MongoEngine handles it alone."""
    try:
        return _compiled[document]
    except KeyError:
        fields = document._fields.values()
        known = all(type(field) in KNOWN and not field._auto_gen for field in fields)
        usual = known and not document._dynamic and not document.STRICT and not document._meta.get("allow_inheritance")
        found = _compiled[document] = _Compiled(document) if usual else None
        return found


class CompiledDocument(Document):
    """A document that does what MongoEngine's does, see the module."""

    meta: dict[str, Any] = {"abstract": True}

    def __init__(self, *args: Any, **values: Any) -> None:
        compiled = _of(type(self))
        if compiled is None or args or not values.keys() <= compiled.rules.keys():
            super().__init__(*args, **values)
            return
        rules = compiled.rules
        given = {name: rules[name].load(value) for name, value in values.items() if value is not None}
        self._begin(compiled, given, created=True)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. The fields of a new document are just stored: MongoEngine would note what has changed."""
        compiled = _compiled.get(type(self))
        if value is None or compiled is None or name not in compiled.settable or hasattr(self, "_changed_fields"):
            super().__setattr__(name, value)
        else:
            self._data[name] = value

    def _begin(self, compiled: _Compiled, given: Row, *, created: bool) -> None:
        for name, make in compiled.makers:
            if name not in given:
                given[name] = make()
        _set(self, "_data", compiled.empty | given)
        _set(self, "_dynamic_fields", _NO_FIELDS)
        _set(self, "_cls", self._class_name)
        _set(self, "_initialised", True)
        _set(self, "_created", created)

    @classmethod
    def _from_son(cls, son: Mapping[str, Any], _auto_dereference: bool = True, created: bool = False) -> Self:
        compiled = _of(cls)
        if compiled is None or "_cls" in son:
            return super()._from_son(son, _auto_dereference, created)
        given: Row = {}
        for key, value in son.items():
            rule = compiled.by_stored_name.get(key)
            if rule is None:
                given[key] = value
            elif value is not None:
                given[rule.name] = value if type(value) is rule.kind else rule.load(value)
        document = cls.__new__(cls)
        document._begin(compiled, given, created=created)
        _set(document, "_changed_fields", [])
        return document

    def plain_value(self, name: str) -> Any:
        """Return the value of a field, to be read only: its attribute would make an observed list of a list."""
        return self._data.get(name)

    def to_row(self) -> Row:
        """Return the stored form: what `to_mongo` returns, as a plain dictionary."""
        compiled = _of(type(self))
        if compiled is None:
            return super().to_mongo().to_dict()
        rules, row = compiled.rules, {}
        for name, value in self._data.items():
            if value is None or (rule := rules.get(name)) is None:
                continue
            if type(value) is rule.kind:
                row[rule.stored_name] = value
            elif (stored := rule.dump(value)) is not None:
                row[rule.stored_name] = stored
        return row

    def to_mongo(self, *args: Any, **options: Any) -> SON[str, Any]:
        if args or options or _of(type(self)) is None:
            return super().to_mongo(*args, **options)
        return SON(self.to_row())

    def validate(self, clean: bool = True) -> None:
        """Raise ValidationError unless all values are valid, after `clean`."""
        compiled = _of(type(self))
        if compiled is None:
            return super().validate(clean)
        try:
            if clean:
                self.clean()
        except ValidationError:
            return super().validate(clean)  # reports it with all other errors
        data, rules = self._data, compiled.rules
        for name in compiled.required:
            if data.get(name) is None:
                return super().validate(clean=False)
        for name, value in data.items():
            if value is None or (rule := rules.get(name)) is None:
                continue
            if type(value) is not rule.valid_kind and not rule.is_plain(value):
                return super().validate(clean=False)
        return None

    @classmethod
    def update_of(cls, changes: Row) -> Row:
        """Return MongoDB's update that stores `changes`. A value of None is not stored, as in an insert of MongoEngine.

        Raises ValidationError.
        """
        compiled = _of(cls)
        update: Row = {}
        for name, value in changes.items():
            rule = compiled.rules.get(name) if compiled else None
            if rule and (value is None or rule.is_plain(value)):
                operator, stored = ("$unset", 1) if value is None else ("$set", rule.copy(value))
                update.setdefault(operator, {})[rule.stored_name] = stored
            else:
                _merge(update, transform.update(cls, **{f"{'unset' if value is None else 'set'}__{name}": value}))
        return update


def _merge(update: Row, other: Row) -> None:
    for operator, values in other.items():
        update.setdefault(operator, {}).update(values)
