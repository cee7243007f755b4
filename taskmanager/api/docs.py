"""Swagger UI at `/docs`, with assets from this server: it works offline and under a strict Content-Security-Policy.

The package flask-swagger-ui provides the files of Swagger UI 5; its own page has an inline script, which the
policy forbids, so the page and its start script are in this package.
"""

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Flask, Response, send_from_directory
from markupsafe import escape

from taskmanager.web.urls import mounted

_PAGE = files("taskmanager.api") / "docs_page"
_VERSION = version("flask-swagger-ui")
_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
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
    """Return the page."""
    html = (_PAGE / "index.html").read_text().replace("VERSION", _VERSION).replace("BASE", escape(mounted("/docs")))
    return _secured(Response(html, content_type="text/html; charset=utf-8"))


@blp.get("/start.js")
def start() -> Response:
    """Return the script that starts Swagger UI."""
    return Response((_PAGE / "start.js").read_bytes(), content_type="text/javascript; charset=utf-8")


@blp.get(f"/assets/{_VERSION}/<path:name>")
def asset(name: str) -> Response:
    """Return one file of Swagger UI; the version in the path makes it cacheable without limit (`immutable`)."""
    response = send_from_directory(_ASSETS, name)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _secured(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
