"""The objects behind Flask's `g` and `request`: each attribute of the proxies looks the context up again."""

from typing import Any, cast

from flask import Request, g, request


def request_globals() -> Any:
    """Return `g` of this request."""
    return g._get_current_object()


def current_request() -> Request:
    """Return the request."""
    return cast(Request, request._get_current_object())  # type: ignore[attr-defined]
