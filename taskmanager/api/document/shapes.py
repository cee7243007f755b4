"""Schemas of the document that several fields refer to, and that are no marshmallow schemas of their own."""

from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.shapes import reference

_COUNT = {"type": "integer", "minimum": 0}

SHAPES: dict[str, Json] = {
    "AtLeast": {
        "type": "object",
        "description": "A count that is not exact: at least `value`.",
        "properties": {"value": _COUNT | {"example": 10_000}, "relation": {"type": "string", "const": "gte"}},
        "required": ["value", "relation"],
    },
    "TaskProgress": {
        "type": "object",
        "description": "The number of subtasks, and of those that are done; empty for a task that never had any.",
        "properties": {"total": _COUNT, "done": _COUNT},
        "example": {"total": 3, "done": 1},
    },
    "Quota": {
        "type": "object",
        "description": "A quota: `limit` null means none, `used` null that it is counted for each project.",
        "properties": {"limit": {"type": ["integer", "null"]}, "used": {"type": ["integer", "null"]}},
        "required": ["limit", "used"],
        "example": {"limit": 500, "used": 3},
    },
    "CustomFieldValue": {
        "description": "The value of a custom field, by its type; null clears it.",
        "type": ["string", "number", "boolean", "null"],
        "example": "high",
    },
    "FieldValue": {
        "description": "The value of a field, as it stands in its resource.",
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": True},
        ],
        "example": "high",
    },
    "FieldChange": {
        "type": "object",
        "description": "A field that was changed.",
        "properties": {"before": reference("FieldValue"), "after": reference("FieldValue")},
        "required": ["before", "after"],
        "example": {"before": "none", "after": "high"},
    },
}
