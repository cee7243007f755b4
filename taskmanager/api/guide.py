"""The site of the documentation at `/docs/guide`: what `make docs` has made of `docs/`, with its search.

The site is one file of the package, `guide.zip`. Wheels and images have it; a checkout has it once `make run` or
`make docs` has made it. It has no inline script and loads nothing from elsewhere, so its policy is as strict as that of
the other pages.
"""

import hashlib
import mimetypes
import re
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile, is_zipfile

from flask import Blueprint, Flask, Response, abort, request
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from taskmanager.web.answers import cached, immutable
from taskmanager.web.urls import mounted

PATH = "/docs/guide"
ARCHIVE = Path(str(files("taskmanager.api") / "guide.zip"))
_ABSENT = (files("taskmanager.api") / "docs_page" / "no_guide.html").read_bytes()
_INDEX = "index.html"
_HTML = "text/html; charset=utf-8"
_NAMED_BY_CONTENT = re.compile(r"assets/.*\.[0-9a-f]{8,16}(?:\.min)?\.(?:js|css)")
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blp = Blueprint("guide", __name__, url_prefix=PATH)


def init_app(app: Flask) -> None:
    """Register the site."""
    app.register_blueprint(blp)


@blp.get("/")
@blp.get("/<path:name>")
def show(name: str = "") -> AnyResponse:
    """Return a file of the site; a folder has a page, and a slash at its end, as links within the site are relative."""
    if not name and not request.path.endswith("/"):
        return redirect(mounted(f"{PATH}/"), 308)
    if not is_zipfile(ARCHIVE):
        return _guarded(cached(_ABSENT, _HTML, seconds=0)) if name == "" else abort(404)
    with ZipFile(ARCHIVE) as archive:
        names = set(archive.namelist())
        if f"{name}/{_INDEX}" in names:
            return redirect(mounted(f"{PATH}/{name}/"), 308)
        found = name + _INDEX if name == "" or name.endswith("/") else name
        return _file(found, archive.read(found)) if found in names else abort(404)


def _file(name: str, body: bytes) -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    etag = hashlib.blake2b(body, digest_size=12).hexdigest()
    if _NAMED_BY_CONTENT.fullmatch(name):
        return _guarded(immutable(body, kind, etag))
    return _guarded(cached(body, kind, seconds=0, etag=etag))


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
