"""The objects behind Flask's `g` and `request`: each attribute of the proxies looks the context up again."""

from collections.abc import Callable
from typing import Any

from flask import Request, g, request

request_globals: Callable[[], Any] = g._get_current_object  # returns `g` of this request
current_request: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]


def given_header(name: str) -> str | None:
    """Return a header of the request by its name in WSGI, such as `HTTP_IF_MATCH`; None when it was not sent.

    Werkzeug makes that name of the usual one at each use.
    """
    return current_request().environ.get(name)
