"""The Flask extensions, unbound: `app.py` binds them. Imports nothing of ours."""

from typing import Any

from cachelib.serializers import JSONSerializer
from flask import Response, g, request
from flask_caching import Cache
from flask_compress import Compress
from flask_limiter import Limiter
from redis.exceptions import RedisError


class FallingBackLimiter(Limiter):
    """Of requests that meet a dead store at once, Flask-Limiter 4.1 lets one fall back and raises in the others."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        """Count the request once for each view, also when a unit of work runs a view again."""
        counted = g.setdefault("limits_counted", set())
        if callable_name in counted:
            return
        if callable_name and not in_middleware:
            counted.add(callable_name)
        try:
            super()._check_request_limit(callable_name, in_middleware)
        except RedisError:  # by now it knows, and counts in memory
            self.context.seen_limits.clear()
            super()._check_request_limit(callable_name, in_middleware)


class PoliteCompress(Compress):
    """Flask-Compress reads `gzip;q=0` as a wish for gzip; it is a refusal (RFC 9110, 12.5.3)."""

    def after_request(self, response: Response | None) -> Response:
        if (
            response is not None
            and ";q=0" in request.headers.get("Accept-Encoding", "")
            and not any(dict(request.accept_encodings).values())
        ):
            return response
        return super().after_request(response)


class CacheSerializer(JSONSerializer):
    """JSON, because what a pickle holds can run code. cachelib 0.17 warns of each key that is not there."""

    def loads(self, bvalue: Any, *args: Any, **options: Any) -> Any:
        return None if bvalue is None else super().loads(bvalue, *args, **options)


cache = Cache()
compress = PoliteCompress()
# web/limits.py sets who is counted. Requests that match no route are counted too, which they are not by default.
limiter = FallingBackLimiter(key_func=lambda: "unset", request_identifier=lambda: request.endpoint or "unmatched")
