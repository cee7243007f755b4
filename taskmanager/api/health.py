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

from taskmanager import __version__
from taskmanager.api import metrics
from taskmanager.api.checks.all import health_checks
from taskmanager.api.checks.measured import Measured, members, worst
from taskmanager.core.configuration import service_groups, settings
from taskmanager.core.errors import Forbidden, Unavailable
from taskmanager.core.events import outbox, queue_report
from taskmanager.core.servers import server_checks, server_report
from taskmanager.core.storage import database
from taskmanager.extensions import limiter
from taskmanager.features.notifications.delivery import report as delivery_report, service as deliveries
from taskmanager.web.answers import cached, data
from taskmanager.web.authentication.actors import current_actor

_PROBE_SECONDS = 0.4  # the driver retries server selection every half second: a probe makes one attempt

_OF_DATABASE = ("database:primary", "migrations:state")

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
    found = server_checks.database_problems(settings.current().time_limit(_PROBE_SECONDS))
    found += [problem for problem in server_checks.recent_store_problems() if problem.final]
    if not found:
        return data({"status": "ok", "services": _services(), "checks": {"database": "ok"}})
    checks = {"database": "ok"} | {problem.check: "unavailable" for problem in found}
    sentences = [problem.sentence for problem in found]
    return data({"status": "unavailable", "services": _services(), "checks": checks, "problems": sentences}, 503)


@blp.get("/health")
def details() -> Response:
    """Return all details for operators (draft-inadarei-api-health-check), in little more than a second.

    The members of the draft stand beside more of our own; those of a server that is away are left out. The response is
    200 in any case, because it is a report: probes ask `live` and `ready`.
    """
    _operators_only()
    found = health_checks().run()
    body: dict[str, Any] = {
        "status": worst(one.status for one in found),
        "version": "1",
        "releaseId": __version__,
        "serviceId": settings.current().base_url,
        "description": "Task Manager",
        "notes": [one.output for one in found if one.status != "pass"],
        "services": _services(),
        "checks": members(found),
        "problems": _problems(found),
        "machine": _machine(),
    }
    failed = {one.key for one in found if one.status == "fail"}
    for key, read in (("database:primary", _database), ("queue:response", _queue)):
        if key not in failed:
            body |= metrics.unless_away(read) or {}
    response = data(body)
    response.headers["Content-Type"] = "application/health+json"
    return response


def _problems(found: list[Measured]) -> list[str]:
    of_database = [one.output for one in found if one.key in _OF_DATABASE and one.status == "fail"]
    return of_database + [problem.sentence for problem in server_checks.recent_store_problems()]


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


def _machine() -> dict[str, float]:
    process = psutil.Process()
    return {
        "memory_percent": psutil.virtual_memory().percent,
        "process_megabytes": round(process.memory_info().rss / 2**20, 1),
        "cpu_percent": psutil.cpu_percent(),
        "disk_percent": psutil.disk_usage(str(settings.current().data_dir.anchor)).percent,
    }
