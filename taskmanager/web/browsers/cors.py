"""Pages of other origins may use the API when the operator names their origins (Cross-Origin Resource Sharing).

Flask-CORS decides which responses have the headers. A browser sends no cookie with such a request, and needs none: the
token is in a header. Without the setting there is no header, and browsers keep other pages out.
"""

from flask import Flask, Response, request
from flask_cors import CORS

from taskmanager.core.configuration import origins
from taskmanager.core.configuration.settings import Settings

# What scripts of a page may read of a response, beside what browsers always show.
EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-Causal-Token",
    "X-Request-ID",
)
# What they may send.
ALLOWED = (
    "Accept",
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "X-Causal-Token",
    "X-Mutation-ID",
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_PREFLIGHT_SECONDS = 7200  # the most that Chromium keeps


def init_app(app: Flask, settings: Settings) -> None:
    """Add the headers for the origins of the settings. Call it before limits and authentication are bound.

    A preflight names no account and no token, so it is answered before it is counted, and for every path: the
    request that follows it says what is wrong with the path.
    """
    if not settings.cors_origins:
        return
    anywhere = settings.cors_origins.strip() == origins.ANY
    app.before_request(_preflight)
    CORS(
        app,
        origins=origins.ANY if anywhere else origins.patterns(settings.cors_origins),
        methods=METHODS,
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
        max_age=_PREFLIGHT_SECONDS,
        send_wildcard=anywhere,
        always_send=anywhere,
        vary_header=False,  # it would leave out responses to requests without an origin, which caches keep too
    )
    if not anywhere:
        app.after_request(_vary)


def _preflight() -> Response | None:
    """Respond to a preflight (Fetch Standard, 3.2.2) with 204; Flask-CORS adds the headers."""
    headers = request.headers
    if request.method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers:
        return Response(status=204)
    return None


def _vary(response: Response) -> Response:
    response.vary.add("Origin")
    if "Access-Control-Request-Method" in request.headers:
        response.vary.update(("Access-Control-Request-Headers", "Access-Control-Request-Method"))
    return response
