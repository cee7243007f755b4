"""The section `webhooks` of the document: each kind of event with its payload.

`features/webhooks/delivery/payloads.py` makes the payloads.
"""

from typing import Any

from taskmanager.api.document.story import ADA, ATTACHMENT, COMMENT, EVENT, GRACE, PROJECT, STORY, TASK
from taskmanager.features.webhooks.kinds import KINDS, TEST
from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.examples import Examples
from taskmanager.web.openapi.shapes import reference

_ID = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
_ID_OR_NULL = {"type": ["string", "null"], "pattern": "^[0-9a-f]{24}$"}
_CHANGES = {
    "type": "object",
    "description": "Each changed field with its value before and after",
    "additionalProperties": {"type": "array", "items": reference("FieldValue"), "minItems": 2, "maxItems": 2},
    "example": {"priority": ["none", "high"]},
}
_EVENT: Json = {
    "event_id": _ID | {"example": EVENT, "description": "The same at each attempt"},
    "seq": {"type": "integer", "description": "The number of the event in its project", "example": 17},
    "actor_id": _ID_OR_NULL | {"example": ADA, "description": "The user who acted; null for the service itself"},
    "project_id": _ID | {"example": PROJECT},
    "subject_id": _ID_OR_NULL | {"description": "The task, label, membership or project of the event"},
}
_COMMENT: Json = {
    "type": "object",
    "description": "The comment in its present state",
    "properties": {
        "id": _ID | {"example": COMMENT},
        "author_id": _ID | {"example": GRACE},
        "text": {"type": "string", "example": "Done, except for the screenshots."},
        "at": {"type": "string", "format": "date-time", "example": "2026-11-16T14:30:00.000Z"},
    },
    "required": ["id", "author_id", "text", "at"],
}
_OF_TASK: Json = {
    "revision": {"type": "integer", "description": "The revision of the task", "example": 3},
    "changes": _CHANGES,
    "task": reference("TaskOut") | {"description": "The task in its present state; absent once it is purged or moved"},
    "cut": {"type": "boolean", "description": "True in a payload over 256 KiB, without task, comment and changes"},
}
# What each subject has beside `_EVENT`; nothing of it is in every payload.
_DATA: dict[str, Json] = {
    "task": _OF_TASK,
    "comment": _OF_TASK
    | {
        "comment_id": _ID | {"example": COMMENT},
        "mentioned": {"type": "array", "items": _ID, "example": [ADA], "description": "Newly mentioned members"},
        "comment": _COMMENT,
    },
    "attachment": _OF_TASK
    | {"attachment_id": _ID | {"example": ATTACHMENT}, "name": {"type": "string", "example": "screenshot.png"}},
    "member": {"user_id": _ID | {"example": GRACE}, "role": reference("ProjectRole"), "changes": _CHANGES},
    "label": {"name": {"type": "string", "example": "bug"}, "changes": _CHANGES},
    "project": {"changes": _CHANGES | {"example": {"name": ["Our app", "Our application"]}}},
}
_HEADERS = {
    "webhook-id": ("The same at each attempt: ignore what you have already.", f"msg_{EVENT}"),
    "webhook-timestamp": ("The time of the attempt, in seconds since 1970.", "1794842100"),
    "webhook-signature": ("One or more of `v1,` and the Base64 of the HMAC-SHA256, separated by spaces.", "v1,K5oZ…="),
}
_PARAMETERS = [
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": text,
        "schema": {"type": "string"},
        "example": shown,
    }
    for name, (text, shown) in _HEADERS.items()
]
_RESPONSES = {
    "2XX": {"description": "Received: it is not sent again."},
    "4XX": {"description": "Refused: it is sent again later."},
    "default": {"description": "Anything else: it is sent again later."},
}
_TASKS = ("task", "comment", "attachment")
_NO_EXAMPLE = ("cut",)


def add_webhooks(document: Json) -> None:
    """Add the webhooks, and the schemas of their data."""
    schemas = document["components"]["schemas"]
    for subject, members in _DATA.items():
        schemas[f"{subject.title()}EventData"] = _object(subject, members)
    document["webhooks"] = {kind: {"post": _operation(kind, schemas)} for kind in KINDS} | {
        TEST: {"post": _post(TEST, "A test, on request", _test(), {"webhook_id": EVENT})}
    }


def _object(subject: str, members: Json) -> Json:
    return {
        "type": "object",
        "description": f"The data of an event of a {subject}.",
        "properties": _EVENT | members,
        "required": list(_EVENT),
    }


def _operation(kind: str, schemas: dict[str, Json]) -> Json:
    subject, _, verb = kind.partition(".")
    name = f"{subject.title()}EventData"
    schema = reference(name) if name in schemas else _object(subject, {"task": reference("TaskOut")})
    return _post(kind, f"{subject.capitalize()} {verb.replace('_', ' ')}", schema, _example(kind, schema, schemas))


def _example(kind: str, schema: Json, schemas: dict[str, Json]) -> Any:
    subject = TASK if kind.split(".")[0] in _TASKS else PROJECT
    made = Examples(schemas, STORY | {"subject_id": subject}).of(schema)
    return {name: value for name, value in made.items() if name not in _NO_EXAMPLE}


def _test() -> Json:
    return {"type": "object", "properties": {"webhook_id": _ID}, "required": ["webhook_id"]}


def _post(kind: str, summary: str, data: Json, example: Any) -> Json:
    sent = {"type": kind, "timestamp": "2026-11-16T14:30:00.000Z", "data": example}
    return {
        "operationId": f"on_{kind.replace('.', '_')}",
        "tags": ["Webhooks"],
        "summary": summary,
        "description": f"The service sends this to webhooks whose `events` match `{kind}`. Respond with 2xx.",
        "security": [],
        "parameters": _PARAMETERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _body(kind, data), "example": sent}},
        },
        "responses": _RESPONSES,
    }


def _body(kind: str, data: Json) -> Json:
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": kind},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened"},
            "data": data,
        },
        "required": ["type", "timestamp", "data"],
    }
