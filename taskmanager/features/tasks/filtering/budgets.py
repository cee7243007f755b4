"""The budget of requests that cost more than others."""

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.web import limits

# One for all of these: each reads or writes many tasks.
expensive = limiter.shared_limit(
    lambda: settings.current().ratelimit_expensive, scope="expensive", key_func=limits.caller
)
