"""Version 1 of the API. The features contribute its blueprints; `document/` has what its document says beside them."""

from collections.abc import Iterable

from taskmanager.api import information
from taskmanager.api.document.content import CONTENT
from taskmanager.api.document.groups import in_order
from taskmanager.api.version import ApiVersion
from taskmanager.web.blueprint import Blueprint


def version(blueprints: Iterable[Blueprint]) -> ApiVersion:
    """Return version 1 with these blueprints."""
    return ApiVersion("v1", [information.blp, *in_order(blueprints)], CONTENT)
