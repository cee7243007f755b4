"""The stylesheet of the pages; a digest of it is in its path."""

from flask import Response

from taskmanager.pages.blueprint import blp
from taskmanager.pages.rendering import STYLE, STYLE_DIGEST
from taskmanager.web.answers import immutable


@blp.get(f"/assets/{STYLE_DIGEST}/style.css")
def style() -> Response:
    """Return the stylesheet."""
    return immutable(STYLE, "text/css; charset=utf-8", STYLE_DIGEST)
