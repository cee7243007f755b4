"""What is wrong, or insecure, or missing in this installation: settings, servers, migrations, indexes, machine."""

import json
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from migrations import runner
from taskmanager import __version__
from taskmanager.api.checks.machine import MACHINE_CHECKS
from taskmanager.api.checks.measured import HealthCheck, HealthChecks, Measured, Status, worst
from taskmanager.api.checks.processes import PROCESS_CHECKS
from taskmanager.api.checks.servers import SERVER_CHECKS
from taskmanager.core.configuration import settings
from taskmanager.core.configuration.connection_urls import mail_server
from taskmanager.core.servers import server_checks
from taskmanager.core.storage import database

EXIT_CODES: dict[Status, int] = {"pass": 0, "warn": 3, "fail": 1}
INDEXES = Path(runner.__file__).with_name("indexes.json")  # {collection: names}, after all migrations
_LOCAL = ("127.0.0.1", "localhost", "::1")


def diagnose() -> list[Measured]:
    """Return all that was measured, also while servers are away."""
    server_checks.compare_migrations(runner.problem)
    own = (
        HealthCheck("settings:security", _insecure),
        HealthCheck("versions:installed", _versions),
        HealthCheck("database:indexes", _indexes, away="warn"),
    )
    return HealthChecks((*own, *SERVER_CHECKS, *PROCESS_CHECKS, *MACHINE_CHECKS)).run()


def status_of(found: Iterable[Measured]) -> Status:
    """Return the worst status."""
    return worst(one.status for one in found)


def _insecure() -> Iterator[Measured]:
    chosen = settings.current()
    mail = mail_server(chosen.mail_url)
    facts = {
        "TASKMANAGER_ENVIRONMENT is not production: secrets may be generated ones.": chosen.environment != "production",
        "TASKMANAGER_PUBLIC_URL is not https.": not chosen.base_url.startswith("https://"),
        "TASKMANAGER_RATELIMIT_ENABLED is false: passwords can be tried without limit.": not chosen.ratelimit_enabled,
        "TASKMANAGER_METRICS_TOKEN is empty: only administrators can read metrics.": not chosen.metrics_token,
        "TASKMANAGER_WEBHOOK_HTTP is true: webhooks may be sent unencrypted.": chosen.webhook_http,
        "TASKMANAGER_MAIL_URL is smtp://: mails leave this machine unencrypted.": mail.scheme == "smtp"
        and mail.host not in _LOCAL,
        "TASKMANAGER_REQUIRE_TOTP_FOR_ADMINS is false.": not chosen.require_totp_for_admins,
        "TASKMANAGER_MONGODB_URI has no user.": "@" not in chosen.mongodb_uri,
    }
    found = [sentence for sentence, holds in facts.items() if holds]
    yield from (Measured("settings:security", status="warn", output=sentence) for sentence in found)
    if not found:
        yield Measured("settings:security", "as it should be")


def _versions() -> Iterator[Measured]:
    yield Measured("versions:installed", __version__, name="taskmanager")
    yield Measured("versions:installed", platform.python_version(), name="python")
    for name in ("flask", "pymongo", "mongoengine", "redis", "rq", "gunicorn"):
        yield Measured("versions:installed", version(name), name=name)
    try:
        with pymongo.timeout(0.8):
            yield Measured("versions:installed", database.client().server_info()["version"], name="mongod")
    except PyMongoError:
        return


def _indexes() -> Iterator[Measured]:
    """Compare the indexes with those that the migrations make, and name those that no query has used."""
    expected: dict[str, list[str]] = json.loads(INDEXES.read_text())
    missing, unused = [], []
    with pymongo.timeout(0.9):
        for collection, names in expected.items():
            uses = {row["name"]: row["accesses"]["ops"] for row in _uses(collection)}
            missing += [f"{collection}.{name}" for name in names if name not in uses]
            unused += [f"{collection}.{name}" for name, number in uses.items() if not number and name != "_id_"]
    output = f"Missing: {', '.join(missing)}. Run `taskmanager migrate`, or make them again." if missing else ""
    yield Measured("database:indexes", len(missing), "missing", "fail" if missing else "pass", output)
    yield Measured("database:unused_indexes", len(unused), "indexes", output=", ".join(sorted(unused)))


def _uses(collection: str) -> Iterable[dict[str, dict[str, int]]]:
    return database.database()[collection].aggregate([{"$indexStats": {}}])
