"""Health checks and the public signing keys, outside of every API version.

`live` checks no server: restart the process when it fails. `ready` checks what requests need: take the process out
of the load balancer when it fails. A store that is away does not make the process unready, because requests work
without it; `/health` reports it to operators, with all other problems.
"""

from hmac import compare_digest
from typing import Any

import orjson
import psutil
from flask import Blueprint, Flask, Response, current_app, request

from taskmanager.api import metrics
from taskmanager.core.configuration import service_groups, settings
from taskmanager.core.errors import Forbidden, Unavailable
from taskmanager.core.events import outbox, queue_report
from taskmanager.core.servers import server_checks, server_report
from taskmanager.core.servers.stores import cache_store
from taskmanager.core.storage import database
from taskmanager.extensions import limiter
from taskmanager.features.notifications.delivery import report as delivery_report, service as deliveries
from taskmanager.web.answers import cached, data
from taskmanager.web.authentication.actors import current_actor

_PROBE_SECONDS = 0.4  # the driver retries server selection every half second: a probe makes one attempt

blp = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Register the routes."""
    for probe in (live, ready):  # called often, from few addresses, and when a store is down
        limiter.exempt(probe)
    app.register_blueprint(blp)


@blp.get("/health/live")
def live() -> Response:
    """Return 200: this process responds."""
    return data({"status": "ok", "services": _services()})


@blp.get("/health/ready")
def ready() -> Response:
    """Return whether this process can work: the primary of the database responds, and its schema fits this release.

    A store that is away does not make the process unready, because requests work without it; one that refuses it does.
    """
    found = server_checks.database_problems(_PROBE_SECONDS)
    found += [problem for problem in server_checks.recent_store_problems() if problem.final]
    if not found:
        return data({"status": "ok", "services": _services(), "checks": {"database": "ok"}})
    checks = {"database": "ok"} | {problem.check: "unavailable" for problem in found}
    sentences = [problem.sentence for problem in found]
    return data({"status": "unavailable", "services": _services(), "checks": checks, "problems": sentences}, 503)


@blp.get("/health")
def details() -> Response:
    """Return all details for operators; those of a server that is away are left out."""
    _operators_only()
    sources = {"database": _database, "queue": _queue, "cache": _cache}
    reports = {name: metrics.unless_away(read) for name, read in sources.items()}
    checks = {name: _state(report is not None) for name, report in reports.items()}
    problems = [problem.sentence for problem in _problems()]
    status = "degraded" if problems or None in reports.values() else "ok"
    body: dict[str, Any] = {
        "status": status,
        "services": _services(),
        "checks": checks,
        "problems": problems,
        "machine": _machine(),
    }
    for report in reports.values():
        body |= report or {}
    return data(body)


def _problems() -> list[server_checks.ServerProblem]:
    return server_checks.database_problems(_PROBE_SECONDS) + server_checks.recent_store_problems()


def _database() -> dict[str, Any]:
    if not database.ping():
        raise Unavailable
    waiting, dead = outbox.count_pending(), outbox.count_dead()
    return {
        "events_waiting": waiting,
        "events_dead": dead,
        "deliveries": delivery_report.report(),
        **server_report.report(),
    }


def _queue() -> dict[str, Any]:
    return {
        "queues": queue_report.report(),
        "jobs_last_minute": queue_report.JOBS.last_minute(),
        "attempts_last_minute": deliveries.ATTEMPTS.last_minute(),
    }


def _cache() -> dict[str, Any]:
    cache_store().ping()
    return {}


@blp.get("/metrics")
def show_metrics() -> Response:
    """Return the metrics for Prometheus."""
    _operators_only()
    response = Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


@blp.get("/.well-known/jwks.json")
def jwks() -> Response:
    """Return the public keys that access tokens are checked with (RFC 7517)."""
    return cached(orjson.dumps(current_app.extensions["taskmanager-keys"].jwks()), "application/json")


def _operators_only() -> None:
    """Raise Forbidden unless the caller has the token `TASKMANAGER_METRICS_TOKEN`, or is an administrator.

    The token works also while the database is away.
    """
    token = settings.current().metrics_token.get_secret_value()
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    known = token and scheme.lower() == "bearer" and compare_digest(sent.strip().encode(), token.encode())
    if not known and current_actor().role != "admin":
        raise Forbidden("Only administrators, and clients with the metrics token, may read this.")


def _services() -> list[str]:
    return service_groups.in_order(settings.current().own_services)


def _state(up: bool) -> str:
    return "ok" if up else "unavailable"


def _machine() -> dict[str, float]:
    process = psutil.Process()
    return {
        "memory_percent": psutil.virtual_memory().percent,
        "process_megabytes": round(process.memory_info().rss / 2**20, 1),
        "cpu_percent": psutil.cpu_percent(),
        "disk_percent": psutil.disk_usage(str(settings.current().data_dir.anchor)).percent,
    }
