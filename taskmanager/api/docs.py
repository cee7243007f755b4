"""Swagger UI at `/docs`, with assets from this server: it works offline and under a strict Content-Security-Policy.

The package flask-swagger-ui provides the files of Swagger UI 5; its own page has an inline script, which the
policy forbids, so the page and its start script are in this package.
"""

import hashlib
import mimetypes
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Flask, Response, abort
from markupsafe import escape
from werkzeug.security import safe_join

from taskmanager.api.errors import pages
from taskmanager.api.version import operations_by_code
from taskmanager.web.answers import cached, immutable
from taskmanager.web.urls import mounted

_PAGE = files("taskmanager.api") / "docs_page"
_START = (_PAGE / "start.js").read_bytes()
_STYLE_DIGEST = hashlib.blake2b(pages.STYLE, digest_size=8).hexdigest()
_DIGEST = hashlib.blake2b(_START, digest_size=8).hexdigest()
_VERSION = version("flask-swagger-ui")
_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_HTML = (_PAGE / "index.html").read_text().replace("VERSION", _VERSION).replace("DIGEST", _DIGEST)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blp = Blueprint("docs", __name__, url_prefix="/docs")


def init_app(app: Flask) -> None:
    """Register the page."""
    app.register_blueprint(blp)


@blp.get("")
def page() -> Response:
    """Return the page. Its scripts change their paths with each release, so caches revalidate it at each use."""
    html = _HTML.replace("BASE", escape(mounted("/docs")))
    return _secured(cached(html.encode(), "text/html; charset=utf-8", seconds=0))


@blp.get(f"/assets/{_DIGEST}/start.js")
def start() -> Response:
    """Return the script that starts Swagger UI; a digest of it is in its path."""
    return immutable(_START, "text/javascript; charset=utf-8", _DIGEST)


@blp.get(f"/assets/{_STYLE_DIGEST}/pages.css")
def style() -> Response:
    """Return the style sheet of the pages about errors; a digest of it is in its path."""
    return immutable(pages.STYLE, "text/css; charset=utf-8", _STYLE_DIGEST)


@blp.get("/errors")
def errors() -> Response:
    """Return the list of the codes of errors."""
    return pages.index(_style_path())


@blp.get("/errors/<code>")
def error(code: str) -> Response:
    """Return the page about a code, which `type` of an error names."""
    return pages.page(code, _style_path(), operations_by_code().get(code, []))


def _style_path() -> str:
    return mounted(f"/docs/assets/{_STYLE_DIGEST}/pages.css")


@blp.get(f"/assets/{_VERSION}/<path:name>")
def asset(name: str) -> Response:
    """Return one file of Swagger UI; its version is in the path."""
    path = Path(safe_join(str(_ASSETS), name) or _ASSETS)
    if not path.is_file():
        abort(404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return immutable(path.read_bytes(), kind, f"{_VERSION}-{path.name}")


def _secured(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
