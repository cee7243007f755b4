"""The content of the document of version 1 beside its routes."""

from importlib.resources import files

from taskmanager.api.document.enums import ENUMS
from taskmanager.api.document.groups import add_groups
from taskmanager.api.document.shapes import SHAPES
from taskmanager.api.document.story import STORY
from taskmanager.api.document.webhooks import add_webhooks
from taskmanager.web.openapi.components import Json
from taskmanager.web.openapi.document import Content

_INTRODUCTION = (files("taskmanager.api.document") / "introduction.md").read_text(encoding="utf-8")


def _complete(document: Json) -> None:
    add_groups(document)
    add_webhooks(document)


CONTENT = Content(introduction=_INTRODUCTION, enums=ENUMS, story=STORY, schemas=SHAPES, complete=_complete)
