"""Examples of requests and responses, built from those of the fields and from one story."""

from collections.abc import Mapping
from typing import Any

from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.shapes import name_in, operations


class Examples:
    """Builds examples. `story` has values by `Schema.property`, and by `property` for all schemas."""

    def __init__(self, schemas: dict[str, Json], story: Mapping[str, Any]) -> None:
        self.schemas, self.story = schemas, story

    def of(self, schema: Json, owner: str = "") -> Any:
        """Return a value that `schema` allows; `owner` is the name of the schema that it is in."""
        for name in ("example", "default", "const"):
            if name in schema:
                return schema[name]
        if target := name_in(schema):
            return self.of(self.schemas[target], target)
        if "enum" in schema:
            return schema["enum"][0]
        if choices := schema.get("oneOf") or schema.get("anyOf"):
            return self.of(choices[0], owner)
        if "properties" in schema:
            return {name: self._member(owner, name, part) for name, part in schema["properties"].items()}
        return self._plain(schema, owner)

    def _member(self, owner: str, name: str, schema: Json) -> Any:
        if "const" in schema:
            return schema["const"]
        for key in (f"{owner.removesuffix('Sparse')}.{name}", name):
            if key in self.story:
                return self.story[key]
        return self.of(schema, owner)

    def _plain(self, schema: Json, owner: str) -> Any:
        kinds = schema.get("type")
        kind = kinds[0] if isinstance(kinds, list) else kinds
        if kind == "array":
            return [self.of(schema["items"], owner)]
        if kind == "object":
            return {}
        return {"integer": 1, "number": 1.0, "boolean": True, "string": "text"}.get(str(kind))


def add_examples(document: Json, story: Mapping[str, Any]) -> None:
    """Add an example to each request and response that has none."""
    examples = Examples(document["components"]["schemas"], story)
    for item in document["paths"].values():
        for parameter in item.get("parameters", ()):
            if isinstance(story.get(parameter["name"]), str):
                parameter["schema"] = parameter["schema"] | {"example": story[parameter["name"]]}
    for operation in operations(document):
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in holder.get("content", {}).values():
                if "schema" in media and "examples" not in media:
                    media.setdefault("example", examples.of(media["schema"]))
