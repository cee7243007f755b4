"""Schemas of labels and custom fields."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from taskmanager.features.projects.models import FIELD_TYPES
from taskmanager.web.schemas import KEY, Color, Form, Id, Instant, Line, Names, Schema
from taskmanager.web.serialisers import Serialiser

_NAME = {"example": "needs review"}
_FIELD = {"example": "Severity"}
_MAX_OPTIONS = 100


class Options(fields.List):
    """The options of a select: at most _MAX_OPTIONS lines, without duplicates."""

    def __init__(self) -> None:
        self.documented: dict[str, Any] = {"example": ["low", "high"], "maxItems": _MAX_OPTIONS}
        super().__init__(Line(most=100))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > _MAX_OPTIONS:
            raise ma.ValidationError(f"At most {_MAX_OPTIONS}.")
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


class LabelIn(Schema):
    """A new label."""

    name = Line(most=100, required=True, metadata=_NAME)
    color = Color(allow_none=True)


class LabelPatch(Schema):
    """Changes of a label."""

    name = Line(most=100, metadata=_NAME)
    color = Color(allow_none=True)


class LabelOut(Schema):
    """A label of a project."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    name = Line(most=100, required=True, metadata=_NAME)
    color = Color(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class CustomFieldIn(Schema):
    """A new custom field."""

    documented = {"example": {"key": "severity", "name": "Severity", "type": "select", "options": ["low", "high"]}}

    key = Form(
        KEY,
        "A lower-case letter, then lower-case letters, digits and _.",
        required=True,
        metadata={"example": "severity"},
    )
    name = Line(most=100, required=True, metadata=_FIELD)
    type = fields.String(required=True, validate=validate.OneOf(FIELD_TYPES), metadata={"example": "text"})
    options = Options()

    @ma.validates_schema
    def options_of_select(self, data: dict[str, Any], **_: object) -> None:
        if (data.get("type") == "select") != bool(data.get("options")):
            raise ma.ValidationError("A select needs options, and other types have none.", "options")


class CustomFieldPatch(Schema):
    """Changes of a custom field; its key and type stay. Tasks keep values that are no longer options."""

    name = Line(most=100, metadata=_FIELD)
    options = Options()


class CustomFieldOut(Schema):
    """A custom field of a project."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    key = fields.String(required=True, metadata={"example": "severity"})
    name = Line(most=100, required=True, metadata=_FIELD)
    type = fields.String(required=True, metadata={"enum": list(FIELD_TYPES)})
    options = Names(required=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


LABEL = Serialiser(LabelOut)
CUSTOM_FIELD = Serialiser(CustomFieldOut)
