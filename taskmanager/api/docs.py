"""Swagger UI at `/docs`, with assets from this server: it works offline and under a strict Content-Security-Policy.

The package flask-swagger-ui provides the files of Swagger UI 5; its own page has an inline script, which the
policy forbids, so the page and its start script are in this package. Swagger UI reads a lean form of the document
(`web/openapi/lean.py`), which it shows in a fraction of the time.
"""

import hashlib
import mimetypes
from functools import cache
from importlib.resources import files
from pathlib import Path

import flask_swagger_ui
import orjson
from flask import Blueprint, Flask, Response, abort, current_app

from taskmanager.api import guide
from taskmanager.api.errors import pages
from taskmanager.api.version import document_of, operations_by_code
from taskmanager.web.answers import cached, immutable
from taskmanager.web.openapi.lean import lean
from taskmanager.web.urls import mounted

_PAGE = files("taskmanager.api") / "docs_page"
_SWAGGER = Path(flask_swagger_ui.__file__).parent / "dist"
# Read when they are asked for: most processes never are, and they have 1.7 MB.
_ASSETS = {
    **{name: _PAGE / name for name in ("start.js", "docs.css", "pages.css")},
    **{name: _SWAGGER / name for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")},
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blp = Blueprint("docs", __name__, url_prefix="/docs")


def init_app(app: Flask) -> None:
    """Register the pages."""
    app.register_blueprint(blp)
    guide.init_app(app)


@blp.get("")
def page() -> Response:
    """Return the page. Its assets change their paths with their content, so caches revalidate it at each use."""
    html = pages.render(
        "index.html",
        asset=asset_path,
        api=mounted("/api/v1"),
        document=mounted("/api/v1/openapi.json"),
        lean=mounted("/docs/openapi-3.0.json"),
    )
    response = cached(html, "text/html; charset=utf-8", seconds=0)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blp.get("/openapi-3.0.json")
def lean_document() -> Response:
    """Return the lean document for the page; it is made once for each path that the service is below."""
    kept: dict[str, bytes] = current_app.extensions.setdefault("taskmanager-lean-documents", {})
    root = mounted("/docs/errors")
    made = kept.get(root)
    if made is None:
        made = orjson.dumps(lean(document_of("v1"), root))
        kept.clear()
        kept[root] = made
    return cached(made, "application/json")


@blp.get("/assets/<digest>/<name>")
def asset(digest: str, name: str) -> Response:
    """Return a file of the page; the digest of its content is in its path, and is its ETag on every instance."""
    if name not in _ASSETS or _digest(name) != digest:
        abort(404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return immutable(_ASSETS[name].read_bytes(), f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, digest)


@blp.get("/errors")
def errors() -> Response:
    """Return the list of the codes of errors."""
    return pages.index(asset_path("pages.css"))


@blp.get("/errors/<code>")
def error(code: str) -> Response:
    """Return the page about a code, which `type` of an error names."""
    return pages.page(code, asset_path("pages.css"), operations_by_code().get(code, []))


def asset_path(name: str) -> str:
    """Return the path of a file of the pages."""
    return mounted(f"/docs/assets/{_digest(name)}/{name}")


@cache
def _digest(name: str) -> str:
    return hashlib.blake2b(_ASSETS[name].read_bytes(), digest_size=12).hexdigest()
