"""Building blocks of schemas: fields that let nothing through which storage, other readers or people would choke on."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import email_validator
import marshmallow as ma
from bson import ObjectId
from marshmallow import fields, validate

_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
# C0 and C1 controls but tab and line breaks: no text needs them, and logs, mails and terminals suffer from them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Schema(ma.Schema):
    """Base of all schemas: unknown fields are errors."""

    class Meta:
        unknown = ma.RAISE


class Text(fields.String):
    """Text without control characters. `most` bounds its length in characters, `least` too."""

    def __init__(self, *, most: int, least: int = 0, **kwargs: Any) -> None:
        checks = [validate.Length(min=least or None, max=most), *kwargs.pop("extra", [])]
        super().__init__(validate=checks, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if _CONTROLS.search(text):
            raise ma.ValidationError("Control characters are not allowed.")
        return text


class Line(Text):
    """One line of text that is not blank; outer space is dropped."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).strip()
        if not text or len(text.splitlines()) > 1:
            raise ma.ValidationError("One line of text is needed.")
        return text


class Id(fields.Field[ObjectId]):
    """An id: 24 hexadecimal digits in lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ObjectId:
        if not isinstance(value, str) or not _OBJECT_ID.fullmatch(value):
            raise ma.ValidationError("Not an id: 24 hexadecimal digits are.")
        return ObjectId(value)

    def _serialize(self, value: ObjectId | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)


class Instant(fields.Field[datetime]):
    """A moment by RFC 3339 with its zone; answered in UTC with milliseconds."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or not _RFC3339.fullmatch(value):
            raise ma.ValidationError("Not a time by RFC 3339 with a zone, such as 2026-12-01T09:00:00Z.")
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            raise ma.ValidationError("There is no such time.") from None
        if not _EARLIEST <= moment <= _LATEST:
            raise ma.ValidationError("Outside of the years that can be kept.")
        moment = moment.astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else iso(value)


class Choice(fields.Field[int]):
    """One of a few words, stored as its position, so that it sorts by rank."""

    def __init__(self, choices: Sequence[str], **kwargs: Any) -> None:
        self.choices = tuple(choices)
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or value not in self.choices:
            raise ma.ValidationError(f"Must be one of: {', '.join(self.choices)}.")
        return self.choices.index(value)

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else self.choices[value]


class Email(fields.String):
    """An address that mail can be sent to (by email-validator), in lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            found = email_validator.validate_email(text, check_deliverability=False, test_environment=True)
        except email_validator.EmailNotValidError as error:
            raise ma.ValidationError(f"Not an address: {error}") from None
        return found.normalized.lower()


class UniqueIds(fields.List):
    """Ids, each at most once, in the order given; `most` bounds how many."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(Id(), validate=validate.Length(max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[ObjectId]:
        if isinstance(value, list) and len(value) > 10_000:
            raise ma.ValidationError("Too many.")
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


def iso(moment: datetime) -> str:
    """A UTC moment as `2026-12-01T09:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


class Problem(Schema):
    """RFC 9457 problem details: the shape of every error."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "A stable word for programs, such as `task.blocked`"})
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    request_id = fields.String(required=True)
    errors = fields.List(
        fields.Nested(
            Schema.from_dict(
                {"location": fields.String(), "message": fields.String(), "code": fields.String()}, name="ProblemItem"
            )
        ),
        metadata={"description": "What is wrong with the request, part by part"},
    )
    permission = fields.String(metadata={"description": "The permission that is missing"})
