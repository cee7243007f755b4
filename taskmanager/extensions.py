"""The Flask extensions, unbound: `app.py` binds them. This module imports no other module of the package."""

from typing import Any

from cachelib.serializers import JSONSerializer
from flask import Response, g, request
from flask_caching import Cache
from flask_compress import Compress
from flask_limiter import Limiter
from redis.exceptions import RedisError


class FallingBackLimiter(Limiter):
    """A limiter whose concurrent requests all fall back when the store dies: Flask-Limiter 4.1 raises in most."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        """Count the request once for each view, even if a unit of work runs the view again."""
        counted = g.setdefault("limits_counted", set())
        if callable_name in counted:
            return
        if callable_name and not in_middleware:
            counted.add(callable_name)
        try:
            super()._check_request_limit(callable_name, in_middleware)
        except RedisError:  # now the limiter knows of the outage, and counts in memory
            self.context.seen_limits.clear()
            super()._check_request_limit(callable_name, in_middleware)


class PoliteCompress(Compress):
    """Flask-Compress that respects `gzip;q=0`, which refuses gzip (RFC 9110, 12.5.3); the library would use gzip."""

    def after_request(self, response: Response | None) -> Response:
        if (
            response is not None
            and ";q=0" in request.headers.get("Accept-Encoding", "")
            and not any(dict(request.accept_encodings).values())
        ):
            return response
        return super().after_request(response)


class CacheSerializer(JSONSerializer):
    """JSON, because loading a pickle can run code. Without `loads` cachelib 0.17 warns of each missing key."""

    def loads(self, bvalue: Any, *args: Any, **options: Any) -> Any:
        return None if bvalue is None else super().loads(bvalue, *args, **options)


cache = Cache()
compress = PoliteCompress()
# web/limits.py sets the key function. Requests that match no route are counted too; by default they are not.
limiter = FallingBackLimiter(key_func=lambda: "unset", request_identifier=lambda: request.endpoint or "unmatched")
