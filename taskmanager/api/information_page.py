"""The page at `/` for people who open the service in a browser: what it is, and where to read on."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

from flask import Response
from jinja2 import Environment

from taskmanager.core.http.links import PAGES
from taskmanager.web.answers import cached
from taskmanager.web.urls import mounted

_FOLDER = files("taskmanager.api") / "front_page"
_STYLE = (_FOLDER / "style.css").read_text()
_TEMPLATE = Environment(autoescape=True).from_string((_FOLDER / "index.html").read_text())
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_SECONDS = 60
SIGNUP = {
    "open": "Everybody may make an account.",
    "domains": "Accounts are for addresses of certain domains, and for people who were invited.",
    "invited": "Accounts are made by invitation only.",
    "closed": "Accounts are made by the administrators.",
}


def page(information: dict[str, Any]) -> Response:
    """Return the page with this information."""
    admission = SIGNUP[information["signup"]["policy"]]
    html = _TEMPLATE.render(information, style=_STYLE, admission=admission, pages=mounted(PAGES))
    response = cached(html.encode(), "text/html; charset=utf-8", _SECONDS)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
