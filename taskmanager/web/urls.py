"""URLs of the service as its clients know them, also behind a proxy and below a path."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.http import unread_bodies

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,100}){1,10}")  # another text is not used as a prefix
_FORM_BYTES = 100_000  # what a form adds to a file
_PATH_CHARACTERS = "/!$&'()*+,;=:@-._~%"


def init_app(app: Flask, settings: Settings) -> None:
    """Make the application use its public address: from trusted proxies, and from the path in the public URL."""
    prefix = urlsplit(settings.public_url).path.rstrip("/")
    app.wsgi_app = _below(app, prefix, app.wsgi_app)  # type: ignore[method-assign, assignment]
    if settings.proxy_count:
        count = settings.proxy_count
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count
        )
        most = max(settings.max_body_bytes, settings.attachment_max_bytes) + _FORM_BYTES
        app.wsgi_app = unread_bodies.discarding(app.wsgi_app, most)  # type: ignore[method-assign, assignment]


def mounted(path: str) -> str:
    """Return a path of the service with the prefix that clients use, such as `/pm/api/v1/tasks`."""
    return quote(request.root_path, safe=_PATH_CHARACTERS) + path


def absolute(path: str) -> str:
    """Return the absolute URL of a path of the service; the origin is that of the public URL, if one is set."""
    public = urlsplit(core_settings.current().public_url)
    origin = f"{public.scheme}://{public.netloc}" if public.netloc else request.host_url.rstrip("/")
    return origin + mounted(path)


def _below(app: Flask, prefix: str, inner: Wsgi) -> Wsgi:
    """Serve below the prefix that a proxy sends, else below `prefix`, removed from the path or not (SCRIPT_NAME)."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        given = str(environ.get("SCRIPT_NAME", "")).rstrip("/")
        mount = environ["SCRIPT_NAME"] = given if given and _PREFIX.fullmatch(given) else prefix
        path = str(environ.get("PATH_INFO", ""))
        if mount and path == mount:
            environ["PATH_INFO"] = "/"
        elif mount and path.startswith(f"{mount}/") and _is_ours(app, path.removeprefix(mount)):
            environ["PATH_INFO"] = path.removeprefix(mount)
        return inner(environ, start_response)

    return serve


def _is_ours(app: Flask, path: str) -> bool:
    """Return whether a route begins with the first part of `path`: below a prefix `/api` the path `/api/v1` is ours."""
    first = path.split("/")[1]
    return any(rule.rule.split("/")[1] == first for rule in app.url_map.iter_rules())
