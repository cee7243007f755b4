"""Prometheus metrics: what processes have counted, and what is read from the stores at each scrape.

All servers are read at the same time, for a second and a half at most. What was not read by then is left out, and its
`taskmanager_scrape_errors` is 1; `taskmanager_up` of a server that does not respond is 0.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import pymongo
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pymongo.errors import PyMongoError

from taskmanager import __version__
from taskmanager.api.checks import all as checks
from taskmanager.api.checks.bounded_reads import BoundedReads
from taskmanager.core import clock
from taskmanager.core.errors import Unavailable
from taskmanager.core.events import outbox, positions, queue_report
from taskmanager.core.events.outcome_counters import OutcomeCounter
from taskmanager.core.locking.made_once import made_once
from taskmanager.core.servers import backups
from taskmanager.core.servers.stores import RedisError, queue_store
from taskmanager.core.storage import database
from taskmanager.core.telemetry.metric_files import ProcessCollector
from taskmanager.features.notifications.delivery import report as delivery_report, service as deliveries
from taskmanager.features.users.sessions import report as session_report

log = structlog.get_logger("taskmanager.metrics")

T = TypeVar("T")

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUILD = {"version": __version__, "python": platform.python_version()}
_SECONDS = 1.5  # for all servers together: a scrape must end before the shortest usual timeout
_DATABASE_SECONDS, _QUEUE_SECONDS = 1.2, 0.5
_SESSIONS_SECONDS = 60.0  # how long the figures about sessions are reused
_QUEUE = {
    "waiting": "Jobs that wait",
    "oldest_s": "Seconds for which the first job has waited",
    "running": "Jobs that are run",
    "failed": "Jobs whose last run failed",
}


def exposition() -> bytes:
    """Return the metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProcessCollector())
    registry.register(_Collector())
    return generate_latest(registry)


class _Collector:
    """Reads the stores when it is scraped."""

    def collect(self) -> Iterator[Any]:
        """Yield all metrics; the registry calls this."""
        started = _reads().start(_SECONDS)
        of_checks = list(checks.families())
        found = started.results()
        yield from (family for name in _SOURCES for family in found.get(name, ()))
        yield _by("up", "Whether a server responds", "store", {name: name in found for name in _SERVERS})
        errors = {name: name not in found for name in _SOURCES}
        yield _by("scrape_errors", "Whether figures could not be read in time", "source", errors)
        yield from of_checks
        yield InfoMetricFamily("taskmanager_build", "The release", value=_BUILD)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"taskmanager_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], float(number))
    return family


def unless_away(read: Callable[[], T]) -> T | None:
    """Return the result of `read`; None while the server that it reads is away."""
    try:
        return read()
    except (RedisError, PyMongoError, Unavailable):
        return None


def _queues() -> list[Any]:
    families = {
        name: GaugeMetricFamily(f"taskmanager_queue_{name.replace('_s', '_seconds')}", text, labels=["queue"])
        for name, text in _QUEUE.items()
    }
    for queue, report in queue_report.report().items():
        values: Mapping[str, Any] = report
        for name, family in families.items():
            family.add_metric([queue], values[name])
    return [
        *families.values(),
        _counter("taskmanager_jobs", "Jobs that were run", "queue", queue_report.JOBS),
        _counter("taskmanager_attempts", "Outcomes of attempts to send", "channel", deliveries.ATTEMPTS),
    ]


def _counter(name: str, text: str, place: str, counter: OutcomeCounter) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[place, "outcome"])
    for words, number in counter.totals().items():
        family.add_metric(list(words), number)
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"taskmanager_{name}", text, value=value)


def _events() -> list[Any]:
    return [
        _gauge("events_waiting", "Events with pending listeners", outbox.count_pending()),
        _gauge("events_oldest_seconds", "Age of the oldest event with pending listeners", outbox.oldest_seconds()),
        _gauge("events_dead", "Events that were given up", outbox.count_dead()),
        _gauge("events_position", "Position of the last event", positions.head()),
        _gauge("events_position_lag_seconds", "Age of the oldest event without a position", positions.lag_seconds()),
    ]


def _clock() -> list[Any]:
    ahead = clock.ahead()
    text = "How far the clock of the process is ahead of the database's"
    return [_gauge("clock_ahead_seconds", text, ahead.total_seconds() if ahead else 0.0)]


def _deliveries() -> list[Any]:
    found = delivery_report.report()
    return [
        _gauge("deliveries_pending", "Deliveries not finished", found["pending"]),
        _gauge("deliveries_dead", "Deliveries that were given up", found["dead"]),
        _gauge("deliveries_oldest_seconds", "Age of the oldest pending delivery", found["oldest_s"]),
    ]


def _backup() -> list[Any]:
    at = backups.last_at()
    age = (clock.now() - at).total_seconds() if at else None
    text = "Seconds since the last backup; missing when there was none"
    return [] if age is None else [_gauge("backup_age_seconds", text, age)]


class _SessionFigures:
    """The figures about sessions, which cost more than a scrape should: at most a minute old."""

    found: session_report.SessionReport | None = None
    until = 0.0

    def read(self) -> session_report.SessionReport:
        """Return them. Raises Unavailable in the minute after a failure."""
        if time.monotonic() >= self.until:
            self.found, self.until = None, time.monotonic() + _SESSIONS_SECONDS
            self.found = session_report.report()
        if self.found is None:
            raise Unavailable
        return self.found


_session_figures = _SessionFigures()


def _sessions() -> list[Any]:
    found = _session_figures.read()
    active = _by("active_users", "Users with a login or a refresh", "period", found["active_users"])
    return [_gauge("sessions", "Sessions that are live", found["live"]), active]


def _ping_database() -> list[Any]:
    database.client().admin.command("ping")
    return _clock()


def _ping_queue() -> list[Any]:
    queue_store(_QUEUE_SECONDS).ping()
    return []


_SERVERS = {"queue": _ping_queue, "database": _ping_database}
_SOURCES: dict[str, Callable[[], list[Any]]] = _SERVERS | {
    "queues": _queues,
    "events": _events,
    "deliveries": _deliveries,
    "sessions": _sessions,
    "backup": _backup,
}


@made_once
def _reads() -> BoundedReads[list[Any]]:
    """Return the reads of this process; made at the first use, so after a fork."""
    return BoundedReads({name: partial(_read, read) for name, read in _SOURCES.items()}, "scrape")


def _read(read: Callable[[], list[Any]]) -> list[Any]:
    try:
        with pymongo.timeout(_DATABASE_SECONDS):
            return read()
    except (RedisError, PyMongoError, Unavailable):
        raise
    except Exception:
        log.exception("figures could not be read")
        raise
