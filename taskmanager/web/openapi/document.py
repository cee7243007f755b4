"""The finished OpenAPI document: what apispec has collected, completed in one order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.errors import add_codes
from taskmanager.web.openapi.examples import add_examples
from taskmanager.web.openapi.shapes import add_sparse, divide, name_enums, open_responses, operations, parts, prune


@dataclass(frozen=True)
class Content:
    """What the document of a version has beside its routes.

    `introduction` is Markdown. `enums` are the properties that give lists of values a name, `story` the values of
    examples, `schemas` those that fields refer to. `complete` adds further parts, such as groups and
    webhooks.
    """

    introduction: str
    enums: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    story: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    schemas: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    complete: Callable[[Json], None] = lambda document: None


def finish(document: Json, names: dict[Any, str], content: Content) -> Json:
    """Complete a document, and return it.

    `names` is apispec's mapping of schemas to their names in the document. The docstring of a schema is its
    description; its class attribute `documented` has properties that its fields cannot express, and `variants` its
    forms.
    """
    schemas = document["components"]["schemas"]
    for (kind, *_), name in names.items():
        described = {"description": kind.__doc__} if kind.__doc__ else {}
        schemas[name] = described | schemas[name] | getattr(kind, "documented", {})
    for (kind, *_), name in names.items():
        if variants := getattr(kind, "variants", ()):
            divide(schemas, name, variants, getattr(kind, "discriminator", None))
    _tidy(document)
    open_responses(document)
    name_enums(document, content.enums)
    add_sparse(document)
    add_codes(document)
    content.complete(document)
    add_examples(document, content.story)
    prune(document)
    for operation in operations(document):
        operation["responses"] = dict(sorted(operation["responses"].items(), key=lambda item: str(item[0])))
    return document


def _tidy(document: Json) -> None:
    """Leave no type beside a reference: apispec adds the one of the field's class."""
    for part in parts(document["components"]["schemas"]):
        if isinstance(part.get("$ref"), str):
            for name in ("type", "additionalProperties", "items"):
                part.pop(name, None)
