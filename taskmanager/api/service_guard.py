"""Which service each route belongs to, and the refusal of requests for a route of another service.

A process has all routes, so that its API document is complete and links lead everywhere; it serves those of the
services in `TASKMANAGER_SERVICES`. The gateway sends each request to a process of the right service
(`taskmanager/gateway`), so a client sees the refusal only when it goes round the gateway.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from flask import Flask, request

from taskmanager.core.configuration.service_groups import SERVICES
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misdirected
from taskmanager.feature import Feature

ANY = "any"  # of routes that every process serves: health, metrics, keys, the API's document and its page
_KEY = "taskmanager-services"


class ServedRoute(NamedTuple):
    """A route of the service: its rule as Flask has it, its methods, and the service that it belongs to."""

    rule: str
    methods: tuple[str, ...]
    service: str


def init_app(app: Flask, settings: Settings) -> None:
    """Refuse requests for routes of other services; nothing is checked in a process that works for all."""
    app.extensions[_KEY] = {}
    own = settings.own_services

    def refuse() -> None:
        service = _service_of(app, request.blueprints)
        if service != ANY and service not in own:
            raise Misdirected(f"The {service} service serves this: send the request to the gateway.")

    if own != frozenset(SERVICES):
        app.before_request(refuse)


def assign(app: Flask, feature: Feature, blueprints: Iterable[str]) -> None:
    """Note that the blueprints of these names belong to the service of a feature."""
    app.extensions[_KEY] |= dict.fromkeys(blueprints, feature.service)


def routes(app: Flask) -> Iterator[ServedRoute]:
    """Yield all routes of an application, in the order of their rules."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        methods = tuple(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        yield ServedRoute(rule.rule, methods, service_of(app, rule.endpoint))


def service_of(app: Flask, endpoint: str) -> str:
    """Return the service that an endpoint belongs to; ANY when every process serves it."""
    return _service_of(app, [endpoint.rpartition(".")[0]])


def _service_of(app: Flask, blueprints: Iterable[str]) -> str:
    known: dict[str, Any] = app.extensions[_KEY]
    return next((known[name] for name in blueprints if name in known), ANY)
