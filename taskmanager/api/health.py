"""Health checks and the public signing keys: outside of every version.

`live` asks nothing of anybody: restart the process when it fails. `ready` asks what requests need: take the
process out of the load balancer when it fails. The stores being away does not make it unready, because
requests go on without them; `/health` says so to operators.
"""

from hmac import compare_digest

import orjson
import psutil
from flask import Blueprint, Flask, Response, current_app, request

from taskmanager.api import metrics
from taskmanager.core import database, outbox, queue_report, settings
from taskmanager.core.errors import Forbidden
from taskmanager.core.stores import RedisError, cache_store, queue_store
from taskmanager.extensions import limiter
from taskmanager.features.notifications import deliveries
from taskmanager.web.answers import cached, data
from taskmanager.web.auth import current_actor

blp = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Register the routes."""
    for probe in (live, ready):  # asked often, by few addresses, and when a store is down
        limiter.exempt(probe)
    app.register_blueprint(blp)


@blp.get("/health/live")
def live() -> Response:
    """This process answers."""
    return data({"status": "ok"})


@blp.get("/health/ready")
def ready() -> Response:
    """This process can do its work: the database has a primary that answers."""
    up = database.ping()
    return data({"status": "ok" if up else "unavailable", "checks": {"database": _word(up)}}, 200 if up else 503)


@blp.get("/health")
def details() -> Response:
    """All there is to know, for administrators."""
    if current_actor().role != "admin":
        raise Forbidden("Only administrators see the details of health.")
    checks = {"database": _word(database.ping()), "queue": _word(_store_up(queue_store(0.5)))}
    checks["cache"] = _word(_store_up(cache_store()))
    healthy = all(word == "ok" for word in checks.values())
    body = {"status": "ok" if healthy else "degraded", "checks": checks, "machine": _machine()}
    if checks["queue"] == "ok":
        body |= {"queues": queue_report.report(), "jobs_last_minute": queue_report.last_minute()}
    if checks["database"] == "ok":
        body |= {"events_waiting": outbox.waiting(), "events_dead": outbox.dead(), "deliveries": deliveries.report()}
    return data(body)


@blp.get("/metrics")
def show_metrics() -> Response:
    """For Prometheus: with the bearer token of `TASKMANAGER_METRICS_TOKEN`, and for administrators."""
    token = settings.current().metrics_token.get_secret_value()
    sent = request.headers.get("Authorization", "")
    if not (token and compare_digest(sent.encode(), f"Bearer {token}".encode())) and current_actor().role != "admin":
        raise Forbidden("Only administrators and the metrics token see the metrics.")
    response = Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


@blp.get("/.well-known/jwks.json")
def jwks() -> Response:
    """The public keys that access tokens are checked with (RFC 7517)."""
    return cached(orjson.dumps(current_app.extensions["taskmanager-keys"].jwks()), "application/json")


def _word(up: bool) -> str:
    return "ok" if up else "unavailable"


def _store_up(store: object) -> bool:
    try:
        return bool(store.ping())  # type: ignore[attr-defined]
    except RedisError:
        return False


def _machine() -> dict[str, float]:
    process = psutil.Process()
    return {
        "memory_percent": psutil.virtual_memory().percent,
        "process_megabytes": round(process.memory_info().rss / 2**20, 1),
        "cpu_percent": psutil.cpu_percent(),
        "disk_percent": psutil.disk_usage(str(settings.current().data_dir.anchor)).percent,
    }
