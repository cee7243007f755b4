"""The document as OpenAPI 3.0.3, for Swagger UI alone: it resolves documents of 3.1 slowly, and shows what it gets.

Errors that all operations share are folded into one response, and headers, webhooks and schemas of `?fields=` are left
out. The contract is the whole document.
"""

from typing import Any

from taskmanager.core.error_codes import ERROR_CODES
from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.shapes import prune

_MAX_PATTERN = 100  # characters: a longer one tells a reader nothing
_IF_MATCH = (
    'The ETag of the item that you change. This page fills in the last one that it has seen of the item; `"1"` is that'
    " of an item that was never changed: read the item first."
)


def lean(document: Json, errors: str) -> Json:
    """Return the lean form of a document. `errors` is the path of the pages about codes."""
    made: Json = {
        "openapi": "3.0.3",
        "info": {name: document["info"][name] for name in ("title", "version")}
        | {"description": _folded_sections(document["info"]["description"], errors)},
        "servers": document["servers"],
        "security": document["security"],
        "tags": document["tags"],
        "paths": {path: _path(item, document, errors) for path, item in document["paths"].items()},
        "components": {
            "schemas": {name: _schema(one) for name, one in document["components"]["schemas"].items()},
            "securitySchemes": document["components"]["securitySchemes"],
        },
    }
    before = -1
    while before != (before := len(made["components"]["schemas"])):
        prune(made)
    return made


def _folded_sections(text: str, errors: str) -> str:
    """Return the introduction with its sections folded, so that the groups of operations are seen first."""
    start, _, sections = text.replace("](/docs/errors)", f"]({errors})").partition("\n## ")
    folded = f"<details><summary><h2>Conventions</h2></summary>\n\n## {sections}\n\n</details>"
    return f"{start}\n\n{folded}" if sections else start


def _path(item: Json, document: Json, errors: str) -> Json:
    return {
        method: [_parameter(one, document) for one in operation]
        if method == "parameters"
        else _operation(operation, document, errors)
        for method, operation in item.items()
    }


def _operation(operation: Json, document: Json, errors: str) -> Json:
    kept: Json = {
        name: operation[name]
        for name in ("operationId", "tags", "summary", "security", "deprecated")
        if name in operation
    }
    kept["description"] = operation.get("description", "")
    kept["parameters"] = [_parameter(one, document) for one in operation.get("parameters", [])]
    if "requestBody" in operation:
        kept["requestBody"] = _holder(operation["requestBody"])
    responses = {status: _holder(one) for status, one in operation["responses"].items() if status < "300"}
    kept["responses"] = {status: one for status, one in responses.items() if status.isdigit()}
    kept["responses"]["default"] = {"description": _folded(operation, errors)}
    return kept


def _folded(operation: Json, errors: str) -> str:
    own = [code for code in operation.get("x-error-codes", []) if not ERROR_CODES[code].is_conventional]
    named = "".join(f" [`{code}`]({errors}/{code})," for code in own)
    return f"An error, as `application/problem+json`:{named} or [one that all operations return]({errors})."


def _parameter(parameter: Json, document: Json) -> Json:
    if "$ref" in parameter:
        parameter = document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
    kept = {name: value for name, value in parameter.items() if not name.startswith("x-")}
    if kept["name"] == "If-Match":
        kept |= {"example": '"1"', "description": _IF_MATCH}
    return kept | {"schema": _schema(parameter["schema"])}


def _holder(holder: Json) -> Json:
    content = {kind: _media(media) for kind, media in holder.get("content", {}).items()}
    kept = {name: holder[name] for name in ("description", "required") if name in holder}
    return kept | ({"content": content} if content else {})


def _media(media: Json) -> Json:
    return media | ({"schema": _schema(media["schema"])} if "schema" in media else {})


def _schema(schema: Any) -> Any:
    """Return a schema of 3.1 as one of 3.0: `nullable`, `enum` of one, and nothing beside a reference."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "null":
        return {"nullable": True, "enum": [None]}
    made = {name: _inner(name, value) for name, value in schema.items() if name not in ("const", "type", "anyOf")}
    if len(str(made.get("pattern", ""))) > _MAX_PATTERN:
        del made["pattern"]
    if "const" in schema:
        made["enum"] = [schema["const"]]
    made |= _typed(schema.get("type"))
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if choices:
        made["anyOf"] = [_schema(one) for one in choices]
        made |= {"nullable": True} if len(choices) < len(schema["anyOf"]) else {}
    if "$ref" in made and len(made) > 1:
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _inner(name: str, value: Any) -> Any:
    if name == "properties":
        return {key: _schema(part) for key, part in value.items()}
    if name in ("items", "additionalProperties", "not"):
        return _schema(value)
    return [_schema(one) for one in value] if name in ("oneOf", "allOf") else value


def _typed(kinds: Any) -> Json:
    if not isinstance(kinds, list):
        return {"type": kinds} if kinds else {}
    named = [kind for kind in kinds if kind != "null"]
    nullable = {"nullable": True} if "null" in kinds else {}
    return nullable | ({"type": named[0]} if len(named) == 1 else {"anyOf": [{"type": kind} for kind in named]})
