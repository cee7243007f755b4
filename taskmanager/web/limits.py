"""Rate limits: who is counted, in which budget, and what the answer says of it (draft-ietf-httpapi-ratelimit-headers).

Flask-Limiter asks the store twice per request, once to count and once for the headers, and authentication
would be a third trip. `OneTripStorage` is the small mend: it sends all three in one pipeline and remembers
the answers for the request. With the store away Flask-Limiter counts in this process's memory, so limits
still bite; how often it then looks for the store is its own back-off.
"""

import contextlib
import hashlib
import math
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from flask_limiter import ApplicationLimit
from limits.storage import RedisStorage
from redis.exceptions import NoScriptError, RedisError

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.security.networks import network_of
from taskmanager.core.servers.stores import cache_rest, options
from taskmanager.core.text import plain_address
from taskmanager.extensions import limiter
from taskmanager.web.authentication.actors import keep_version, live_user_id, version_key
from taskmanager.web.requests import body_fields

OFF = "0"  # the ceiling per address that is none
_SCHEMES = ("redis", "rediss", "unix")


class OneTripStorage(RedisStorage):
    """Counts, reads the window for the headers and reads the caller's access version in one round trip."""

    STORAGE_SCHEME = [f"onetrip+{scheme}" for scheme in _SCHEMES]

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri.removeprefix("onetrip+"), **options)

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        keys = [self.prefixed_key(self._previous_window_key(key)), self.prefixed_key(self._current_window_key(key))]
        acquired, window, version = self._trip(keys, [limit, expiry, amount], expiry)
        g.setdefault("windows", {})[key] = window
        if version is not None:
            keep_version(int(version))
        return bool(acquired)

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        window = g.get("windows", {}).get(key) if has_request_context() else None
        if window is None:
            return super().get_sliding_window(key, expiry)
        before, before_ms, now, now_ms = (max(0, int(part or 0)) for part in window)
        return before, before_ms / 1000, now, now_ms / 1000

    def _trip(self, keys: list[str], arguments: list[int], expiry: int) -> list[Any]:
        try:
            return self._send(keys, arguments, expiry)
        except NoScriptError:  # the store was emptied or is new
            for script in (self.lua_acquire_sliding_window, self.lua_sliding_window):
                self.storage.script_load(script.script)
            return self._send(keys, arguments, expiry)
        except RedisError:
            cache_rest.failed()
            raise

    def _send(self, keys: list[str], arguments: list[int], expiry: int) -> list[Any]:
        pipeline = self.storage.pipeline(transaction=False)
        pipeline.evalsha(self.lua_acquire_sliding_window.sha, 2, *keys, *arguments)
        pipeline.evalsha(self.lua_sliding_window.sha, 2, *keys, expiry)
        pipeline.get(version_key())
        return pipeline.execute()


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the limiter; call it after authentication has registered its `before_request`."""
    limiter._key_func = caller
    app.config.update(
        RATELIMIT_ENABLED=settings.ratelimit_enabled,
        RATELIMIT_STORAGE_URI=f"onetrip+{settings.cache_url}",
        RATELIMIT_STORAGE_OPTIONS=options(settings.redis_timeout_ms / 1000),
        RATELIMIT_STRATEGY="sliding-window-counter",
        RATELIMIT_HEADERS_ENABLED=False,
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        RATELIMIT_KEY_PREFIX="tm",
    )
    limiter.init_app(app)
    limiter.limit_manager.set_application_limits([part.bind(limiter) for part in _of_all_requests()])
    app.after_request(_say)


def _ceiling() -> str:
    """Return the rate of all callers behind one address; empty for none."""
    rate = core_settings.current().ratelimit_network
    return "" if rate == OFF else rate


def _of_all_requests() -> list[ApplicationLimit]:
    """Return what counts every request: a budget for each caller and, where the operator sets one, a ceiling per
    address.
    """
    return [
        # callables, because the limiter keeps the first word it is given, whatever application comes after
        ApplicationLimit(limit_provider=lambda: core_settings.current().ratelimit_default, key_function=caller),
        ApplicationLimit(limit_provider=_ceiling, key_function=address, scope="network"),
    ]


def caller() -> str:
    """Return who is counted: the account of a token that is good, else the address; who has a dead token uses up its
    own.
    """
    user_id = live_user_id()
    return f"user:{user_id}" if user_id else address()


def address() -> str:
    """Return the network address that asks: of IPv6 its /64, which one subscriber has as a whole."""
    return f"address:{network_of(request.remote_addr)}"


def account() -> str:
    """Return the account that something is asked for, known or not; the address is not stored in clear."""
    email = body_fields().get("email", "")
    return "account:" + hashlib.sha256(plain_address(email).encode()).hexdigest()


def account_here() -> str:
    """Return the account that a login is tried for, from this network address: others must not use up its owner's
    budget.
    """
    return f"{account()}:{network_of(request.remote_addr)}"


def sets_no_password() -> bool:
    """Return whether the body has no password to be hashed: for the `exempt_when` of the budget of secrets."""
    return body_fields().get("password") is None


def shared_link() -> str:
    """Return the share link that a visitor tries to open; its token is not stored in clear."""
    return "link:" + hashlib.sha256(body_fields().get("token", "").encode()).hexdigest()


def seconds_to_wait() -> float:
    """Return after how many seconds the breached limit lets something through again; at least 1."""
    limit = limiter.current_limit
    try:
        return max(1.0, limit.window.reset_time - time.time()) if limit else 1.0
    except RedisError:
        return 1.0


def _say(response: Response) -> Response:
    with contextlib.suppress(RedisError):  # the store may go away between counting and telling
        _say_limit(response)
    return response


def _say_limit(response: Response) -> None:
    limit = limiter.current_limit if limiter.enabled else None
    if limit is not None:
        name = "default" if limit.shared else "endpoint"
        wait = max(0, math.ceil(limit.window.reset_time - time.time()))
        response.headers["RateLimit-Policy"] = f'"{name}";q={limit.limit.amount};w={limit.limit.get_expiry()}'
        response.headers["RateLimit"] = f'"{name}";r={max(0, limit.remaining)};t={wait}'
