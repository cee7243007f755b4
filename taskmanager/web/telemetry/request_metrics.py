"""Counts requests by route template, method and class of status: never by their path, which anyone can make up."""

from flask import request
from flask_limiter.errors import RateLimitExceeded

from taskmanager.core.telemetry import instruments
from taskmanager.core.telemetry.instruments import labelled

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
UNMATCHED = "unmatched"


def known_method(method: str) -> str:
    """Return the method, or `other`: clients may send any word."""
    return method if method in _METHODS else instruments.OTHER


def count(method: str, route: str | None, status: int, seconds: float, size: int = 0) -> None:
    """Count a request that is about to be answered; `route` is the template that it matched, if any.

    `size` is the number of bytes of the body of its response.
    """
    route = route or UNMATCHED
    labelled(instruments.REQUESTS, method, route, f"{status // 100}xx").inc()
    instruments.observe(instruments.REQUEST_SECONDS, seconds, method, route)
    if size:
        labelled(instruments.RESPONSE_BYTES, route).inc(size)


def count_refusal(error: RateLimitExceeded) -> None:
    """Count a request that a rate limit refused, by the budget: its scope, or its route and what it counts by."""
    limit = error.limit
    counted_by = getattr(limit.key_func, "__name__", instruments.OTHER)
    name = limit.scope if isinstance(limit.scope, str) else f"{request.endpoint}:{counted_by}"
    instruments.REFUSALS.labels(name).inc()
