"""The Flask extensions, unbound: `app.py` binds them. This module imports no other module of the package."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from cachelib.serializers import JSONSerializer
from flask import Response, current_app, g, request
from flask_caching import Cache
from flask_compress import Compress
from flask_limiter import Limiter, RequestLimit
from flask_limiter._extension import LimiterContext
from flask_limiter._limits import RuntimeLimit
from flask_limiter.errors import RateLimitExceeded
from redis.exceptions import RedisError

_MAX_COMPRESSED = 512  # bodies: each public file in each coding; /docs and the guide have about 300
_PUBLIC_ONLY = {"text/html", "image/svg+xml"}  # compressed only where every caller gets the same


_globals, _request = g._get_current_object, request._get_current_object  # type: ignore[attr-defined]


class FallingBackLimiter(Limiter):
    """A limiter whose concurrent requests all fall back when the store dies: Flask-Limiter 4.1 raises in most.

    Most requests have only the limits of all requests. For these it does what Flask-Limiter does, and leaves out what
    finds no further limits: that takes twice as long as the round trip.
    """

    @property
    def context(self) -> LimiterContext:
        """Return what the limiter keeps for this request. The library looks for it three times at each of five uses."""
        kept = _globals()
        found: LimiterContext | None = kept.get("limiter_context")
        if found is None:
            found = kept.limiter_context = LimiterContext()
        return found

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        """Count the request once for each view, even if a unit of work runs the view again."""
        if in_middleware and self._has_common_limits_only():
            return self._check_common_limits()
        counted = g.setdefault("limits_counted", set())
        if callable_name in counted:
            return None
        if callable_name and not in_middleware:
            counted.add(callable_name)
        return self._check(callable_name, in_middleware)

    def _check(self, callable_name: str | None, in_middleware: bool) -> None:
        try:
            if callable_name and not in_middleware and self.enabled and not self._storage_dead:
                self._count_together(self.limit_manager.decorated_limits(callable_name))
        except RedisError:
            return self._fall_back(callable_name, in_middleware)
        try:
            super()._check_request_limit(callable_name, in_middleware)
        except RedisError:  # now the limiter knows of the outage, and counts in memory
            self.context.seen_limits.clear()
            super()._check_request_limit(callable_name, in_middleware)

    def _count_together(self, limits: Iterable[RuntimeLimit]) -> None:
        """Count the request by several limits in one round trip; their evaluation then finds the results."""
        endpoint, entries = self.identify_request(), []
        for limit in sorted(limits, key=lambda one: one.limit):  # in the order in which Flask-Limiter asks for them
            if not (limit.deduct_when or limit.is_exempt or limit.method_exempt):
                identifiers = (self._key_prefix, limit.key_func(), limit.scope_for(endpoint, request.method))
                item = limit.limit
                entries.append((item.key_for(*identifiers), item.amount, item.get_expiry(), limit.deduction_amount))
        if len(entries) > 1:
            self._storage.acquire_together(entries)  # type: ignore[union-attr]

    def _fall_back(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        """Count the request in this process's memory, as all others until the store is back."""
        self.logger.warning("Rate limit storage unreachable - falling back to in-memory storage")
        self._storage_dead = True
        if in_middleware:
            self.context.view_rate_limits.clear()
        self._check(callable_name, in_middleware)

    def _has_common_limits_only(self) -> bool:
        """Return whether the store is in use, and only the limits of all requests apply before the view."""
        if not self.enabled or self._storage_dead:
            return False
        known: dict[str, bool] = current_app.extensions.setdefault("common-limits-only", {})
        endpoint = self.identify_request()
        if endpoint not in known:
            manager, blueprint = self.limit_manager, request.blueprint
            others = manager.default_limits or self._meta_limits or self._request_filters
            exempt = manager.exemption_scope(current_app, endpoint, blueprint)
            known[endpoint] = not (others or exempt or (blueprint and manager.blueprint_limits(current_app, blueprint)))
        return known[endpoint]

    def _check_common_limits(self) -> None:
        """Count the request by each limit of all requests. Raises RateLimitExceeded for the shortest one exceeded."""
        context, storage = self.context, self._storage
        exceeded: list[Any] = []
        limits = self.limit_manager.application_limits
        for limit in sorted(limits, key=lambda limit: limit.limit) if len(limits) > 1 else limits:
            item, identifiers = limit.limit, [self._key_prefix, limit.key_func(), str(limit.scope)]
            found = RequestLimit(self, item, identifiers, False, limit.shared)
            context.view_rate_limits.append(found)
            try:  # what the strategy does, which would make the key again
                found.breached = not storage.acquire_sliding_window_entry(found.key, item.amount, item.get_expiry(), 1)  # type: ignore[union-attr]
            except RedisError:
                return self._fall_back()
            if found.breached:
                exceeded.append(limit)
        every = context.view_rate_limits
        context.view_rate_limit = next(
            (found for found in reversed(every) if found.breached), every[0] if every else None
        )
        if exceeded:
            raise RateLimitExceeded(exceeded[0])
        return None


class PoliteCompress(Compress):
    """Flask-Compress that respects `gzip;q=0`, and compresses HTML only when it is the same for everybody.

    By RFC 9110, 12.5.3 such a client refuses gzip; the library would use it. A page with a token beside what a request
    brings would disclose the token, letter by letter, by the length of its compressed form (BREACH, CVE-2013-3587).
    """

    def after_request(self, response: Response | None) -> Response:
        accepted = _request().environ.get("HTTP_ACCEPT_ENCODING")
        if response is not None and (not accepted or (";q=0" in accepted and not self._accepts_any())):
            return response
        if response is not None and response.mimetype in _PUBLIC_ONLY and not g.get("compressed_key"):
            return response
        return super().after_request(response)

    @staticmethod
    def _accepts_any() -> bool:
        return any(dict(request.accept_encodings).values())


class CompressedBodies:
    """The compressed bodies of public responses, such as the files of Swagger UI, in the memory of this process.

    Flask-Compress asks it for each body, by the coding and by the key of `keep_compressed`, which most do not have.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        return self._kept.get(key)

    def set(self, key: str, body: bytes) -> None:
        if key.endswith(";"):
            return
        self._kept[key] = body
        if len(self._kept) > _MAX_COMPRESSED:
            self._kept.popitem(last=False)


def keep_compressed(key: str) -> None:
    """Keep the compressed body of this response; `key` changes with the body."""
    g.compressed_key = key


def compressed_key(_request: Any) -> str:
    """Return the key by which the compressed body of this response is kept; empty for none."""
    return str(g.get("compressed_key", ""))


class CacheSerializer(JSONSerializer):
    """JSON, because loading a pickle can run code. Without `loads` cachelib 0.17 warns of each missing key."""

    def loads(self, bvalue: Any, *args: Any, **options: Any) -> Any:
        return None if bvalue is None else super().loads(bvalue, *args, **options)


cache = Cache()
compress = PoliteCompress()
# web/limits.py sets the key function. Requests that match no route are counted too; by default they are not.
limiter = FallingBackLimiter(key_func=lambda: "unset", request_identifier=lambda: _request().endpoint or "unmatched")
