"""Building blocks of schemas: fields that refuse values which storage, other programs or people cannot handle."""

import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self, cast

import email_validator
import marshmallow as ma
from bson import ObjectId
from marshmallow import fields, validate
from marshmallow.utils import set_value

from taskmanager.core import zones
from taskmanager.core.clock import DAY, HOUR_MINUTE, OFFSET, SECOND, iso, milliseconds
from taskmanager.core.text import INVISIBLE, SPACES, plain_address, trimmed

# Each pattern is used both for validation and in the OpenAPI document, so it uses only what Python's and ECMA-262's
# regular expressions have in common (no `\d`, no `\s`, no `\Z`).
# C0 and C1 controls except tab and line breaks: no text needs them, and they break logs, mails and terminals.
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
_BREAKS = r"\u000a\u000d\u2028\u2029"
_TEXT = rf"^[^{_CONTROLS}]*$"
_LINE = rf"^[{SPACES}{INVISIBLE}]*[^{SPACES}{INVISIBLE}{_CONTROLS}{_BREAKS}][^{_CONTROLS}{_BREAKS}]*$"
_ID = "^[0-9a-f]{24}$"
KEY = "^[a-z][a-z0-9_]{0,29}$"  # of statuses, custom fields and the like of a project
_INSTANT = rf"^{DAY}[Tt]{HOUR_MINUTE}{SECOND}(?:\.[0-9]{{1,9}})?(?:[Zz]|{OFFSET})$"
# RFC 5321 without quoted local parts and address literals; each label has 1 to 63 characters, and `--` as its third and
# fourth only when it is an internationalised one. email-validator accepts every address that this accepts.
_ATOM = "A-Za-z0-9!#$%&'*+/=?^_`{|}~"
_LABEL = r"(?!(?![xX][nN])[^@.]{2}--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST_LABEL = r"(?![^@.]{2}--)[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z])?"
_EMAIL = rf"^(?![^@]*\.\.)[{_ATOM}-](?:[{_ATOM}.-]{{0,62}}[{_ATOM}-])?@(?:{_LABEL}\.)+{_LAST_LABEL}$"


class _Loading(threading.local):
    """What this thread does with a body: it visits the fields that are given, or marshmallow visits all."""

    of_given = of_all = False


_loading = _Loading()


class Schema(ma.Schema):
    """Base of all schemas: unknown fields are errors."""

    may_be_left_out = False  # whether a request without a body means an empty object

    class Meta:
        unknown = ma.RAISE

    def __deepcopy__(self, memo: object) -> Self:
        """Return this instance: nothing changes a schema, and flask-smorest copies it with each part of a route."""
        return self

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], *, name: str = "GeneratedSchema") -> "type[Schema]":
        """Return a subclass of this class; marshmallow's own annotation is its base class."""
        return cast("type[Schema]", super().from_dict(dict(fields), name=name))

    def _deserialize(self, data: Any, **options: Any) -> Any:
        """Return the values of valid data from the fields that are given; marshmallow visits all fields of a schema.

        It does a body that is not plainly valid as a whole, once, and reports the errors: no field has a side effect.
        """
        usual = options.get("unknown") == ma.RAISE and not options.get("many") and options.get("partial") is None
        if not usual or type(data) is not dict or _loading.of_all:
            return super()._deserialize(data, **options)
        if _loading.of_given:  # a part of a body
            if (values := self._values_of(data)) is None:
                raise ma.ValidationError("not plainly valid")
            return values
        _loading.of_given = True
        try:
            values = self._values_of(data)
        finally:
            _loading.of_given = False
        if values is not None:
            return values
        _loading.of_all = True
        try:
            return super()._deserialize(data, **options)
        finally:
            _loading.of_all = False

    def _values_of(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the values of valid data, with defaults; None where a field is missing, unknown or not valid."""
        values, unknown = self.dict_class(), len(data)
        for name, field in self.load_fields.items():
            key = name if field.data_key is None else field.data_key
            if key in data:
                unknown -= 1
                try:
                    value = field.deserialize(data[key], key, data)
                except ma.ValidationError:
                    return None
            elif field.required:
                return None
            elif field.load_default is ma.missing:
                continue
            else:
                value = field.deserialize(ma.missing, key, data)
            if value is not ma.missing:
                set_value(values, field.attribute or name, value)
        return None if unknown else values


class Form(fields.String):
    """A string that matches a pattern. `documented` has the OpenAPI properties beside those of its validators."""

    def __init__(self, pattern: str, message: str, **kwargs: Any) -> None:
        self.documented: dict[str, Any] = {"pattern": pattern}
        self.form, self.message = re.compile(pattern), message
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not self.form.fullmatch(value):
            raise ma.ValidationError(self.message)
        return value


class Text(Form):
    """Text without control characters. `least` and `most` bound its length in characters."""

    def __init__(self, *, most: int, least: int | None = None, **kwargs: Any) -> None:
        super().__init__(_TEXT, "Control characters are not allowed.", validate=validate.Length(least, most), **kwargs)


class Line(Form):
    """One line of text that is not blank, of at most `most` characters; it is composed and trimmed (`core.text`)."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(
            _LINE,
            "Must be one line of text that is not blank.",
            validate=validate.Length(1, most),
            **kwargs,
        )

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super().deserialize(value, *args, **kwargs)
        return trimmed(text) if isinstance(text, str) else text


class Id(Form):
    """An id: 24 hexadecimal digits in lower case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_ID, "Not an id: must be 24 hexadecimal digits.", **kwargs)
        self.documented["example"] = "65f1c0ffee0123456789abcd"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ObjectId:  # type: ignore[override]
        return ObjectId(super()._deserialize(value, attr, data, **kwargs))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)


class Instant(Form):
    """A moment by RFC 3339 with a zone; returned in UTC with milliseconds."""

    def __init__(self, **kwargs: Any) -> None:
        message = "Not a valid time by RFC 3339 with a zone, such as 2026-12-01T09:00:00Z."
        super().__init__(_INSTANT, message, **kwargs)
        self.documented |= {"format": "date-time", "example": "2026-12-01T09:00:00.000Z"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # type: ignore[override]
        return milliseconds(datetime.fromisoformat(super()._deserialize(value, attr, data, **kwargs).upper()))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else iso(value)


class TimeZone(fields.String):
    """The name of a time zone in the IANA database; names are added to it, so the document does not list them."""

    documented: ClassVar[dict[str, Any]] = {"format": "time-zone", "example": "Europe/Berlin", "maxLength": 64}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        name: str = super()._deserialize(value, attr, data, **kwargs)
        if name not in zones.NAMES:
            raise ma.ValidationError("Not a time zone of the IANA database, such as Europe/Berlin.")
        return name


class Json(fields.Dict):
    """An object with any members. `shape` has the OpenAPI properties of what it contains."""

    def __init__(self, shape: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = {"additionalProperties": True, "example": {}} if shape is None else shape

    @property
    def documented(self) -> dict[str, Any]:
        """Return the OpenAPI properties beside those of its validators."""
        return {"type": ["object", "null"] if self.allow_none else "object", **self.shape}


MAX_REVISION = 10**18 - 1  # an ETag has as many digits, and an integer of JSON fits into 64 bits


class WholeNumber(fields.Integer):
    """An integer; `5.0` is one, as in JSON Schema, and `"5"` is not."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        whole = type(value) is int or (isinstance(value, float) and value.is_integer())
        if not whole:
            raise self.make_error("invalid")
        return int(value)


class Flag(fields.Boolean):
    """True or false, and no value that Python treats as them, such as 0."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class QueryFlag(fields.Boolean):
    """`true` or `false` in a query, and none of the other words that marshmallow accepts."""

    truthy, falsy = {"true"}, {"false"}


class RankedChoice(fields.Field[int]):
    """One of several words, stored as its index, so that it sorts by rank."""

    def __init__(self, choices: Sequence[str], **kwargs: Any) -> None:
        self.choices = tuple(choices)
        self.documented = {"type": "string", "enum": list(choices), "example": self.choices[0]}
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or value not in self.choices:
            raise ma.ValidationError(f"Must be one of: {', '.join(self.choices)}.")
        return self.choices.index(value)

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else self.choices[value]


class Color(Form):
    """A color as six hexadecimal digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("^#[0-9a-f]{6}$", "Not a color such as #33aa77.", **kwargs)
        self.documented["example"] = "#33aa77"


class Email(Form):
    """A deliverable mail address, in lower case.

    Spaces and invisible characters of pasting are removed, and an international domain is converted to ASCII
    (`xn--…`, RFC 5891).
    """

    def __init__(self, **kwargs: Any) -> None:
        message = "Not an address that mail can be sent to, such as ada@example.com."
        super().__init__(_EMAIL, message, validate=validate.Length(max=254), **kwargs)
        self.documented |= {"format": "email", "example": "ada@example.com"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(plain_address(value) if isinstance(value, str) else value, attr, data, **kwargs)
        if "=?" in text:  # programs of mail decode such words (RFC 2047, 2): it would be sent to another address
            raise ma.ValidationError(self.message)
        try:  # beyond the pattern: reserved names (`localhost`), and invalid international names
            email_validator.validate_email(text, check_deliverability=False, test_environment=True)
        except email_validator.EmailNotValidError as error:
            raise ma.ValidationError(f"Not an address: {error}") from None
        return text


class UniqueIds(fields.List):
    """Ids without duplicates, in the order of the request, which may have at most `most`."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(Id(), validate=validate.Length(max=most), **kwargs)
        self.most = most
        self.documented: dict[str, Any] = {"example": []}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[ObjectId]:  # type: ignore[override]
        if isinstance(value, list) and len(value) > self.most:
            raise ma.ValidationError(f"At most {self.most}.")
        ids: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        return list(dict.fromkeys(ids))


class Names(fields.List):
    """Any words, as they are stored; for responses only."""

    def __init__(self, **kwargs: Any) -> None:
        self.documented: dict[str, Any] = {"example": []}
        super().__init__(fields.String(), **kwargs)
