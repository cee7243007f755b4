"""Health checks and the public signing keys: outside of every version.

`live` asks nothing of anybody: restart the process when it fails. `ready` asks what requests need: take the
process out of the load balancer when it fails. The stores being away does not make it unready, because
requests go on without them; `/health` says so to operators, with all other problems.
"""

from hmac import compare_digest
from typing import Any

import orjson
import psutil
from flask import Blueprint, Flask, Response, current_app, request

from taskmanager.api import metrics
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Forbidden, Unavailable
from taskmanager.core.events import outbox, queue_report
from taskmanager.core.servers import server_checks, server_report
from taskmanager.core.servers.stores import cache_store
from taskmanager.core.storage import database
from taskmanager.extensions import limiter
from taskmanager.features.notifications.delivery import report as delivery_report, service as deliveries
from taskmanager.web.answers import cached, data
from taskmanager.web.authentication.actors import current_actor

_PROBE_SECONDS = 0.4  # the driver looks for a server in steps of half a second: this ends after the first

blp = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Register the routes."""
    for probe in (live, ready):  # asked often, by few addresses, and when a store is down
        limiter.exempt(probe)
    app.register_blueprint(blp)


@blp.get("/health/live")
def live() -> Response:
    """Say that this process answers."""
    return data({"status": "ok"})


@blp.get("/health/ready")
def ready() -> Response:
    """Say whether this process can work: the database has a primary that answers, in the form this release needs.

    Stores that are away do not make it unready, because requests go on without them; stores that refuse it do.
    """
    found = server_checks.database_problems(_PROBE_SECONDS)
    found += [problem for problem in server_checks.recent_store_problems() if problem.final]
    if not found:
        return data({"status": "ok", "checks": {"database": "ok"}})
    checks = {"database": "ok"} | {problem.check: "unavailable" for problem in found}
    sentences = [problem.sentence for problem in found]
    return data({"status": "unavailable", "checks": checks, "problems": sentences}, 503)


@blp.get("/health")
def details() -> Response:
    """Return all there is to know, for who may see the metrics; what a server that is away would say is left out."""
    _operators_only()
    asked = {"database": _database, "queue": _queue, "cache": _cache}
    answers = {name: metrics.asked(ask) for name, ask in asked.items()}
    checks = {name: _word(answer is not None) for name, answer in answers.items()}
    problems = [problem.sentence for problem in _problems()]
    status = "degraded" if problems or None in answers.values() else "ok"
    body = {"status": status, "checks": checks, "problems": problems, "machine": _machine()}
    for answer in answers.values():
        body |= answer or {}
    return data(body)


def _problems() -> list[server_checks.ServerProblem]:
    return server_checks.database_problems(_PROBE_SECONDS) + server_checks.recent_store_problems()


def _database() -> dict[str, Any]:
    if not database.ping():
        raise Unavailable
    told = {"events_waiting": outbox.waiting(), "events_dead": outbox.dead(), "deliveries": delivery_report.report()}
    return told | server_report.report()


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
    """Admit the bearer token of `TASKMANAGER_METRICS_TOKEN`, also while the database is away; and administrators."""
    token = settings.current().metrics_token.get_secret_value()
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    known = token and scheme.lower() == "bearer" and compare_digest(sent.strip().encode(), token.encode())
    if not known and current_actor().role != "admin":
        raise Forbidden("Only administrators, and who has the metrics token, see this.")


def _word(up: bool) -> str:
    return "ok" if up else "unavailable"


def _machine() -> dict[str, float]:
    process = psutil.Process()
    return {
        "memory_percent": psutil.virtual_memory().percent,
        "process_megabytes": round(process.memory_info().rss / 2**20, 1),
        "cpu_percent": psutil.cpu_percent(),
        "disk_percent": psutil.disk_usage(str(settings.current().data_dir.anchor)).percent,
    }
