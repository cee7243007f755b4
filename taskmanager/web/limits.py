"""Rate limits: the keys that requests are counted by, and the headers (draft-ietf-httpapi-ratelimit-headers).

Flask-Limiter sends two commands per request to the store, one to count and one for the headers, and authentication
would be a third round trip. `OneTripStorage` does all three in one script and keeps its results for the request.
While the store is away, Flask-Limiter counts in this process's memory, so limits still apply; it retries the store with
its own backoff.
"""

import contextlib
import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Flask, Response, has_request_context, request
from flask_limiter import ApplicationLimit
from flask_limiter.errors import RateLimitExceeded
from limits.storage import RedisStorage
from redis.exceptions import RedisError

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.security.networks import network_of
from taskmanager.core.servers.scripts import FastScript
from taskmanager.core.servers.stores import cache_outage, client, is_clustered
from taskmanager.core.telemetry.timings import timed_trip
from taskmanager.core.text import plain_address
from taskmanager.extensions import limiter
from taskmanager.web.authentication.actors import keep_version, live_user_id, version_key
from taskmanager.web.authentication.context import request_globals
from taskmanager.web.requests import body_fields

OFF = "0"  # no limit for each address
_COMMON_SCOPES = ("global", "network")  # of the limits of all requests
# KEYS: for each limit the previous and the current window; the access version. ARGV: for each limit its number, seconds
# and amount. The functions are the scripts of the library, whose arguments differ: the second takes the seconds first.
_SCRIPT = f"""
local function acquire(KEYS, ARGV)
{RedisStorage.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
local function window(KEYS, ARGV)
{RedisStorage.SCRIPT_SLIDING_WINDOW.decode()}
end
local found = {{redis.call('get', KEYS[#KEYS]) or ''}}
for i = 1, #ARGV, 3 do
    local keys = {{KEYS[(i - 1) / 3 * 2 + 1], KEYS[(i - 1) / 3 * 2 + 2]}}
    local acquired = acquire(keys, {{ARGV[i], ARGV[i + 1], ARGV[i + 2]}})
    found[#found + 1] = acquired and 1 or 0
    for _, part in ipairs(window(keys, {{ARGV[i + 1]}})) do
        found[#found + 1] = part or 0
    end
    if not acquired then
        break
    end
end
return table.concat(found, ' ')
"""
_PARTS = 5  # of the reply for each limit: acquired, requests of the previous window, its ms left, these of the current
Entry = tuple[str, int, int, int]  # of a limit: its key, number, seconds, and the amount to count


class OneTripStorage(RedisStorage):
    """Counts a request, reads the window for the headers and the caller's access version in one round trip."""

    STORAGE_SCHEME = ["onetrip"]
    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # where valkey-py is installed, its import takes long

    def __init__(self, uri: str, *, client: Any, key_prefix: str = RedisStorage.PREFIX, **options: Any) -> None:
        """Use a client of the cache store, which may be one of a cluster: the library makes its own from a URL."""
        super(RedisStorage, self).__init__(uri, **options)
        self.key_prefix, self.target_server, self.storage = key_prefix, "redis", client
        self.dependency = self.dependencies["redis"].module
        self.initialize_storage(uri)
        clustered = is_clustered(client)
        self._script = client.register_script(_SCRIPT.encode()) if clustered else FastScript(client, _SCRIPT)

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        acquired: dict[str, int] = vars(request_globals()).setdefault("acquired", {})
        if key not in acquired:
            self.acquire_together([(key, limit, expiry, amount)])
        return bool(acquired.pop(key))

    def acquire_together(self, entries: Sequence[Entry]) -> None:
        """Count a request by several limits; `acquire_sliding_window_entry` then returns their results.

        A limit that refuses the request is the last one that counts it, as Flask-Limiter then asks no further one.
        """
        version, *found = self._count(entries)  # the version is empty when the store has none
        per_request = vars(request_globals())
        acquired, kept = per_request.setdefault("acquired", {}), per_request.setdefault("windows", {})
        numbers = [max(0, int(part)) for part in found]
        for entry, start in zip(entries, range(0, len(numbers), _PARTS), strict=False):
            acquired[entry[0]], *kept[entry[0]] = numbers[start : start + _PARTS]
        if version:
            keep_version(int(version))

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        window = vars(request_globals()).get("windows", {}).get(key) if has_request_context() else None
        if window is None:
            return super().get_sliding_window(key, expiry)
        before, before_ms, now, now_ms = window
        return before, before_ms / 1000, now, now_ms / 1000

    def _count(self, entries: Sequence[Entry]) -> list[bytes]:
        try:
            return self._count_in_slots(entries) if is_clustered(self.storage) else self._execute(entries)
        except RedisError:
            cache_outage.failed()
            raise

    def _execute(self, entries: Sequence[Entry]) -> list[bytes]:
        keys = [key for entry in entries for key in self._windows(entry)]
        numbers = [number for _, *numbers in entries for number in numbers]
        with timed_trip("cache"):
            return _parts(self._script([*keys, version_key()], numbers))

    def _count_in_slots(self, entries: Sequence[Entry]) -> list[bytes]:
        """Do it in a cluster, whose scripts have keys of one slot: a round trip for each limit, one for the version."""
        found: list[bytes] = [self.storage.get(version_key()) or b""]
        for entry in entries:
            keys = self._windows(entry)
            found += _parts(self._script([*keys, keys[-1]], entry[1:]))[1:]
            if found[-_PARTS] == b"0":
                break
        return found

    def _windows(self, entry: Entry) -> list[str]:
        """Return the keys of the previous and the current window of a limit, which are in one slot of a cluster."""
        key = entry[0]
        return [self.prefixed_key(name) for name in (self._previous_window_key(key), self._current_window_key(key))]


def _parts(reply: bytes) -> list[bytes]:
    """Return the parts of a reply of the script, which is one text because reading an array takes twice as long."""
    return reply.split(b" ")


class CommonLimit(ApplicationLimit):
    """A limit of all requests, whose text is parsed again only when it has changed."""

    _parsed: tuple[str, list[Any]] = "", []

    def __iter__(self) -> Iterator[Any]:
        text = self.limit_provider() if callable(self.limit_provider) else self.limit_provider
        if text != self._parsed[0]:
            self._parsed = text, list(super().__iter__())
        return iter(self._parsed[1])


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the limiter; call it after authentication has registered its `before_request`."""
    limiter._key_func = caller
    app.config.update(
        RATELIMIT_ENABLED=settings.ratelimit_enabled,
        RATELIMIT_STORAGE_URI="onetrip://",
        RATELIMIT_STORAGE_OPTIONS={"client": client("cache", settings.cache_url, settings.redis_timeout_ms / 1000)},
        RATELIMIT_STRATEGY="sliding-window-counter",
        RATELIMIT_HEADERS_ENABLED=False,
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        RATELIMIT_KEY_PREFIX="tm",
    )
    limiter.init_app(app)
    limiter.limit_manager.set_application_limits([part.bind(limiter) for part in _of_all_requests()])
    app.after_request(_add_headers)


def _ceiling() -> str:
    """Return the rate for all callers behind one address; empty for no limit."""
    rate = core_settings.current().ratelimit_network
    return "" if rate == OFF else rate


def _of_all_requests() -> list[CommonLimit]:
    """Return the limits of every request: for each caller and, when the operator sets one, for each address."""
    return [
        # callables, because the limiter keeps the first text that it gets, also for applications made later
        CommonLimit(limit_provider=lambda: core_settings.current().ratelimit_default, key_function=caller),
        CommonLimit(limit_provider=_ceiling, key_function=address, scope="network"),
    ]


def count_also(number: int) -> None:
    """Count this request as `number` more by the limits of all requests, for what it carries out.

    Raises RateLimitExceeded, also for more than a limit admits at all. It counts nothing when the store has just died.
    """
    if not limiter.enabled or number < 1:
        return
    with contextlib.suppress(RedisError):
        for limit in limiter.limit_manager.application_limits:
            identifiers = (limiter._key_prefix, limit.key_func(), str(limit.scope))
            if not limiter.limiter.hit(limit.limit, *identifiers, cost=number):
                raise RateLimitExceeded(limit)


def caller() -> str:
    """Return the key of the caller: the account of a valid token, else the address.

    So requests with an invalid token do not use up the limit of its account.
    """
    user_id = live_user_id()
    return f"user:{user_id}" if user_id else address()


def address() -> str:
    """Return the key of the network address: of IPv6 its /64, which one subscriber has as a whole."""
    return f"address:{network_of(request.remote_addr)}"


def account() -> str:
    """Return the key of the account that the body names, existing or not; the mail address is stored as a hash."""
    email = body_fields().get("email", "")
    return "account:" + hashlib.sha256(plain_address(email).encode()).hexdigest()


def account_here() -> str:
    """Return the key of the account of a login attempt, and this network address.

    So attempts from other addresses do not use up the limit of the account's user.
    """
    return f"{account()}:{network_of(request.remote_addr)}"


def sets_no_password() -> bool:
    """Return whether the body has no password to be hashed: the `exempt_when` of the limit `ratelimit_secret`."""
    return body_fields().get("password") is None


def shared_link() -> str:
    """Return the key of the share link that a visitor opens; its token is stored as a hash."""
    return "link:" + hashlib.sha256(body_fields().get("token", "").encode()).hexdigest()


def seconds_to_wait() -> float:
    """Return the seconds until the exceeded limit admits a request again; at least 1."""
    limit = limiter.current_limit
    try:
        return max(1.0, limit.window.reset_time - time.time()) if limit else 1.0
    except RedisError:
        return 1.0


def _add_headers(response: Response) -> Response:
    with contextlib.suppress(RedisError):  # the store may become unavailable after counting
        _add_limit_headers(response)
    return response


def _add_limit_headers(response: Response) -> None:
    limit = limiter.current_limit if limiter.enabled else None
    if limit is not None:
        name = "default" if limit.request_args[-1] in _COMMON_SCOPES else "endpoint"
        window, headers = limit.window, response.headers
        wait = max(0, math.ceil(window.reset_time - time.time()))
        headers.add("RateLimit-Policy", f'"{name}";q={limit.limit.amount};w={limit.limit.get_expiry()}')
        headers.add("RateLimit", f'"{name}";r={max(0, window.remaining)};t={wait}')
