"""The configuration of NGINX as a text: what the template needs is worked out here, from settings and routes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Flask
from jinja2 import Environment, StrictUndefined

from taskmanager.api import docs, service_guard
from taskmanager.api.service_guard import ANY, ServedRoute
from taskmanager.core.configuration.gateway_settings import GatewaySettings, words
from taskmanager.core.configuration.service_groups import in_order
from taskmanager.core.configuration.settings import Settings
from taskmanager.gateway.patterns import exact_pattern, service_patterns
from taskmanager.web.openapi import shapes

_TEMPLATE = (files("taskmanager.gateway") / "nginx.conf.j2").read_text()
_STREAM = "stream"  # the service whose responses never end
_MULTIPART_BYTES = 10_000  # what a form adds to the file in it
_FLASK_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
# The gateway's own errors: what NGINX calls them, what the client gets, and the seconds to wait.
# NGINX says 502 when no server of a service could be reached, and 494 to 497 when a request is wrong before HTTP.
ERRORS: tuple[tuple[tuple[int, ...], int, str, str, int], ...] = (
    ((400, 495, 496, 497), 400, "gateway.bad_request", "The request cannot be read as HTTP.", 0),
    ((404,), 404, "not_found", "There is nothing at this path.", 0),
    ((405,), 405, "http.method_not_allowed", "The gateway does not support this method.", 0),
    ((408,), 408, "gateway.request_timeout", "The request did not arrive in time.", 0),
    ((413,), 413, "gateway.too_large", "The body is larger than the service accepts.", 0),
    ((414,), 414, "gateway.uri_too_long", "The path with its query is too long.", 0),
    ((429,), 429, "gateway.too_many", "Too many requests from one address: wait before the next one.", 1),
    ((494,), 431, "gateway.header_too_large", "The headers are too large.", 0),
    ((500,), 500, "gateway.internal", "The gateway failed. Report the request id with it.", 0),
    ((502, 503), 503, "gateway.unavailable", "This part of the service does not respond: try again soon.", 2),
    ((504,), 504, "gateway.timeout", "The service has not responded in time: it may have done what was asked.", 2),
)
_TITLES = {431: "Request Header Fields Too Large"}


@dataclass(frozen=True)
class Location:
    """A location of NGINX that passes requests on; `keyed` names the one for requests with an Idempotency-Key."""

    match: str
    keyed: str
    max_body_bytes: int
    stream: bool = False


def render(app: Flask, settings: Settings, gateway: GatewaySettings) -> str:
    """Return the configuration of NGINX for an application with all routes. Raises Misconfigured."""
    mount = urlsplit(settings.public_url).path.rstrip("/")
    routes = list(service_guard.routes(app))
    upstreams = _upstreams(gateway, {route.service for route in routes})
    apart = len(upstreams) > 1
    patterns = service_patterns([(route.rule, route.service) for route in routes], ANY) if apart else []
    return (
        _environment()
        .from_string(_TEMPLATE)
        .render(
            gateway=gateway,
            upstreams=upstreams,
            patterns=[(_mounted(pattern, mount), service) for pattern, service in patterns],
            locations=list(_locations(app, routes, settings, mount)),
            assets=f"{mount}{docs.blp.url_prefix}/assets/",
            errors=[
                (codes, status, _problem(status, code, detail), wait) for codes, status, code, detail, wait in ERRORS
            ],
            trusted=words(gateway.trusted_proxies),
            host=urlsplit(settings.public_url).netloc,
            listen=words(gateway.listen),
            redirect_listen=words(gateway.redirect_listen),
        )
    )


def uploads(app: Flask) -> set[str]:
    """Return the rules of the routes that take a file, by the API's document."""
    found = set[str]()
    for version in app.extensions["taskmanager-versions"].values():
        version.describe()
        for path, item in version.spec.to_dict()["paths"].items():
            if any(_takes_file(operation) for operation in shapes.operations({"paths": {path: item}})):
                found.add(path)
    return found


def _takes_file(operation: dict[str, Any]) -> bool:
    return "multipart/form-data" in operation.get("requestBody", {}).get("content", {})


def _upstreams(gateway: GatewaySettings, services: set[str]) -> dict[str, list[str]]:
    """Return {name: addresses}: of each service that has routes, and of `any` all; `any` alone when they are equal.

    The process of the stream serves its own route only, so it is not among `any`.
    """
    web = {service: gateway.servers_of(service) for service in in_order(services - {_STREAM})}
    lists = dict.fromkeys(tuple(addresses) for addresses in web.values())
    every = [address for addresses in lists for address in addresses]  # one that is listed repeatedly is tried so often
    streams = {_STREAM: words(gateway.stream_servers) or every} if _STREAM in services else {}
    servers = web | streams
    apart = any(addresses != every for addresses in servers.values())
    return {ANY: every, **(servers if apart else {})}


def _locations(app: Flask, routes: Iterable[ServedRoute], settings: Settings, mount: str) -> Iterator[Location]:
    with_files, seen = uploads(app), set[str]()
    for route in routes:
        pattern = _mounted(exact_pattern(route.rule), mount)
        if pattern in seen:
            continue
        seen.add(pattern)
        if route.service == _STREAM:
            yield Location(f'~ "{pattern}"', "", settings.max_body_bytes, stream=True)
        elif _FLASK_VARIABLE.sub(r"{\1}", route.rule) in with_files:
            yield Location(f'~ "{pattern}"', "@keyed_upload", settings.attachment_max_bytes + _MULTIPART_BYTES)
    yield Location("/", "@keyed", settings.max_body_bytes)


def _mounted(pattern: str, mount: str) -> str:
    """Return a pattern for paths below the path of the public URL, and without it, as the service accepts both."""
    return pattern.replace("^", f"^(?:{mount})?", 1) if mount else pattern


def _problem(status: int, code: str, detail: str) -> str:
    """Return a problem (RFC 9457) as one line; NGINX puts path and id of the request into it."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return orjson.dumps(body | {"instance": "$problem_instance", "request_id": "$gateway_request_id"}).decode()


def _environment() -> Environment:
    return Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
