"""The rate limit of expensive requests."""

from collections.abc import Callable

from flask_limiter import RouteLimit

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.web import limits


def expensive_by(key: Callable[[], str]) -> RouteLimit:
    """Return the limit of requests that read or write many tasks, one for all their routes, counted by this key."""
    return limiter.shared_limit(lambda: settings.current().ratelimit_expensive, scope="expensive", key_func=key)


expensive = expensive_by(limits.caller)
