"""What MongoEngine's fields do to values, decided once for each field instead of at each use.

Most values are already of the type that is stored, and valid: MongoEngine's conversions return an equal value for them,
and its validation passes. Each field has a test for such values. All others go through MongoEngine, which stays the
source of the rules; `tests/core/mapping` compares both.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DictField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)
from mongoengine.base import BaseDict, BaseField, BaseList

Test = Callable[[Any], bool]
Copy = Callable[[Any], Any]

_SCALARS: dict[type[Any], type[Any]] = {
    StringField: str,
    IntField: int,
    ObjectIdField: ObjectId,
    DateTimeField: datetime,
    BooleanField: bool,
}
KNOWN = frozenset({*_SCALARS, ListField, DictField, BinaryField})
_FLAT = frozenset({*_SCALARS.values(), float, type(None)})  # types of values in a dictionary
_LIMITS = ("regex", "min_length", "min_value", "max_value")
_LISTS, _DICTS = (list, BaseList), (dict, BaseDict)


class FieldRule:
    """One field of a document.

    `kind` is the type of values that are stored, and read, as they are, and `valid_kind` that type if all of its
    values are valid too; None when there is no such type. Both save a call for most values.
    """

    __slots__ = ("copy", "field", "is_plain", "kind", "name", "required", "stored_name", "valid_kind")

    def __init__(self, name: str, field: BaseField) -> None:
        self.name, self.field = name, field
        self.stored_name: str = field.db_field
        self.required = bool(field.required)
        self.is_plain, self.copy = _rules(field)
        self.kind = None if _is_special(field) else _SCALARS.get(type(field))
        self.valid_kind = _valid_kind(field)

    def load(self, value: Any) -> Any:
        """Return a stored or given value as an attribute of a document."""
        if type(value) is self.kind:
            return value
        return self.copy(value) if self.is_plain(value) else self.field.to_python(value)

    def dump(self, value: Any) -> Any:
        """Return the attribute of a document as it is stored."""
        if type(value) is self.kind:
            return value
        return self.copy(value) if self.is_plain(value) else self.field._to_mongo_safe_call(value)


def _rules(field: BaseField) -> tuple[Test, Copy]:
    """Return the test for plain values of a field, and the function that copies such a value."""
    if _is_special(field):
        return _never, _same
    if type(field) in _SCALARS:
        return _scalar(field, _SCALARS[type(field)]), _same
    if field.required or field.choices:
        return _never, _same
    if type(field) is ListField and field.field is not None:
        return _list(field)
    return (_is_flat, dict) if type(field) is DictField and field.field is None else (_never, _same)


def _is_special(field: BaseField) -> bool:
    return field.validation is not None or bool(field.null) or type(field) not in KNOWN


def _is_limited(field: BaseField) -> bool:
    return field.choices is not None or any(getattr(field, name, None) is not None for name in (*_LIMITS, "max_length"))


def _valid_kind(field: BaseField) -> type[Any] | None:
    return None if _is_special(field) or _is_limited(field) else _SCALARS.get(type(field))


def _scalar(field: BaseField, kind: type[Any]) -> Test:
    if any(getattr(field, name, None) is not None for name in _LIMITS):
        return _never
    longest, choices = getattr(field, "max_length", None), field.choices
    if choices is not None:
        allowed = frozenset(choices)
        return lambda value: type(value) is kind and value in allowed
    if longest is not None:
        return lambda value: type(value) is kind and len(value) <= longest
    return lambda value: type(value) is kind


def _list(field: ListField) -> tuple[Test, Copy]:
    longest, (is_plain, copy) = field.max_length, _rules(field.field)
    kind = _valid_kind(field.field)
    of_kind = kind and frozenset((kind,)).issuperset

    def is_plain_list(value: Any) -> bool:
        if type(value) not in _LISTS or (longest is not None and len(value) > longest):
            return False
        return of_kind(map(type, value)) if of_kind else all(map(is_plain, value))

    return is_plain_list, list if copy is _same else lambda value: [copy(item) for item in value]


def _is_flat(value: Any) -> bool:
    return type(value) in _DICTS and all(
        type(key) is str and not key.startswith("$") and type(item) in _FLAT for key, item in value.items()
    )


def _never(value: Any) -> bool:
    return False


def _same(value: Any) -> Any:
    return value
