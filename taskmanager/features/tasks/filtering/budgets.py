"""The rate limit of expensive requests."""

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.web import limits

# One limit for all these routes: each reads or writes many tasks.
expensive = limiter.shared_limit(
    lambda: settings.current().ratelimit_expensive, scope="expensive", key_func=limits.caller
)
