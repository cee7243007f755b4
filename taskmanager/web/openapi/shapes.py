"""Schemas of the finished document in the form that generators of clients need: variants, names, open responses."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.variants import Variant

_REF = "#/components/schemas/"


def reference(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"{_REF}{name}"}


def name_in(schema: Json) -> str | None:
    """Return the name of the schema that this is a reference to."""
    target = schema.get("$ref", "")
    return target.removeprefix(_REF) if target.startswith(_REF) else None


def operations(document: Json) -> Iterator[Json]:
    """Yield the operations of a document, those of webhooks too."""
    for path in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        yield from (operation for method, operation in path.items() if method != "parameters")


def parts(value: Any) -> Iterator[Json]:
    """Yield each object in a part of the document, but for those in examples."""
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if name not in ("example", "examples", "default"):
                yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


def prune(document: Json) -> None:
    """Remove the components that nothing refers to."""
    components = document["components"]
    used = {part["$ref"] for part in _everything(document) if isinstance(part.get("$ref"), str)}
    for kind in ("headers", "examples", "responses", "parameters", "schemas"):
        named = components.get(kind, {})
        components[kind] = {name: one for name, one in named.items() if f"#/components/{kind}/{name}" in used}


def _everything(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _everything(inner)


def divide(schemas: dict[str, Json], name: str, variants: tuple[Variant, ...], discriminator: str | None) -> None:
    """Replace a schema by its variants, as `oneOf`."""
    whole = schemas[name]
    for variant in variants:
        if variant.name not in schemas:
            schemas[variant.name] = _variant(whole, variant, discriminator)
        elif discriminator:
            schemas[variant.name]["properties"][discriminator]["const"] = variant.fixed
    kept = {key: whole[key] for key in ("description", "example") if key in whole}
    schemas[name] = kept | {"oneOf": [reference(variant.name) for variant in variants]}
    if discriminator:
        mapping = {str(variant.fixed): f"{_REF}{variant.name}" for variant in variants}
        schemas[name]["discriminator"] = {"propertyName": discriminator, "mapping": mapping}


def _variant(whole: Json, variant: Variant, discriminator: str | None) -> Json:
    properties = {key: deepcopy(part) for key, part in whole["properties"].items() if key not in variant.without}
    properties |= {key: reference(target) for key, target in variant.members.items()}
    properties |= {key: {"type": "null", "const": None, "example": None} for key in variant.nulls}
    if discriminator:
        known = {
            name: properties[discriminator][name] for name in ("description",) if name in properties[discriminator]
        }
        properties[discriminator] = {"type": "string", "const": variant.fixed, "example": variant.fixed} | known
    needed = {*variant.required, *whole.get("required", []), *filter(None, [discriminator])}
    required = [key for key in properties if key in needed]
    closed = {"additionalProperties": False} if whole.get("additionalProperties") is False else {}
    description = whole.get("description", "").split(":")[0].rstrip(".")
    return {
        "type": "object",
        "description": ": ".join(filter(None, (description, ", ".join(variant.required)))) + ".",
        "properties": properties,
        "required": required,
        **closed,
    }


def open_responses(document: Json) -> None:
    """Let responses have further properties: clients must go on when a later release adds one."""
    schemas = document["components"]["schemas"]
    sent, received = set[str](), set[str]()
    for operation in operations(document):
        _collect(operation.get("requestBody", {}), schemas, sent)
        _collect(operation["responses"], schemas, received)
    for response in document["components"]["responses"].values():
        _collect(response, schemas, received)
    for name in received - sent:
        for part in parts(schemas[name]):
            if part.get("additionalProperties") is False:
                del part["additionalProperties"]


def _collect(value: Any, schemas: Json, found: set[str]) -> None:
    for part in parts(value):
        name = name_in(part)
        if name is not None and name not in found:
            found.add(name)
            _collect(schemas[name], schemas, found)


def add_sparse(document: Json) -> None:
    """Add the schemas of responses to `?fields=`, in which no property is required, and name them at the parameter."""
    schemas = document["components"]["schemas"]
    for operation in operations(document):
        chosen = next((one for one in operation.get("parameters", []) if one.get("name") == "fields"), None)
        whole = _item_of(operation, schemas) if chosen else None
        if chosen is None or whole is None:
            continue
        sparse = f"{whole}Sparse"
        if sparse not in schemas:
            text = f"{schemas[whole].get('description', whole)} With `?fields=` it has only the named properties."
            bare = {key: value for key, value in schemas[whole].items() if key != "required"}
            schemas[sparse] = bare | {"description": text}
        chosen["x-sparse-schema"] = reference(sparse)
        chosen["description"] = f"{chosen['description']}. The response has the schema {sparse} then"


def _item_of(operation: Json, schemas: Json) -> str | None:
    """Return the name of the schema of the resource that an operation returns, or of each item of its list."""
    media = operation["responses"].get("200", {}).get("content", {}).get("application/json")
    name = name_in(media["schema"]) if media else None
    items = schemas[name].get("properties", {}).get("items") if name else None
    return name_in(items["items"]) if items else name


def name_enums(document: Json, places: Mapping[str, str]) -> None:
    """Move each list of values into a schema of its own, and refer to it wherever the same values are.

    `places` is {name: the property that has the values, as `Schema.property`}. A property of an array means its items.
    """
    schemas = document["components"]["schemas"]
    found = {_values_at(schemas, place): name for name, place in places.items()}
    holders = [part for part in parts([document["paths"], document["components"]]) if "enum" in part]
    for part in holders:
        if name := found.get(_values(part)):
            _refer(part, name, nullable=None in part["enum"] or "null" in part.get("type", ()))
    used = {name_in(part) for part in parts([document["paths"], document["components"]])}
    schemas |= {name: {"type": "string", "enum": list(values)} for values, name in found.items() if name in used}


def _values_at(schemas: dict[str, Json], place: str) -> tuple[str, ...]:
    schema, _, name = place.partition(".")
    part = schemas.get(schema, {}).get("properties", {}).get(name, {})
    return _values(part.get("items", part))


def _values(part: Json) -> tuple[str, ...]:
    return tuple(value for value in part.get("enum", ()) if value is not None)


def _refer(part: Json, name: str, *, nullable: bool) -> None:
    kept = {key: part[key] for key in ("description", "example", "default") if key in part}
    part.clear()
    part.update(kept | ({"anyOf": [reference(name), {"type": "null"}]} if nullable else reference(name)))
