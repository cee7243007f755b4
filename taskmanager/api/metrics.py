"""Prometheus metrics: what processes have counted, and what is read from the stores at each scrape.

The metrics of a store that is away are left out, and its `taskmanager_up` is 0.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pymongo.errors import PyMongoError

from taskmanager import __version__
from taskmanager.api.checks import all as checks
from taskmanager.core import clock
from taskmanager.core.errors import Unavailable
from taskmanager.core.events import outbox, positions, queue_report
from taskmanager.core.events.outcome_counters import OutcomeCounter
from taskmanager.core.servers import backups
from taskmanager.core.servers.stores import RedisError
from taskmanager.core.telemetry.metric_files import ProcessCollector
from taskmanager.features.notifications.delivery import report as delivery_report, service as deliveries
from taskmanager.features.users.sessions import report as session_report

T = TypeVar("T")

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUILD = {"version": __version__, "python": platform.python_version()}
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
        up = GaugeMetricFamily("taskmanager_up", "Whether a store responds", labels=["store"])
        for store, read in (("queue", _queues), ("database", _database)):
            found = unless_away(read)
            up.add_metric([store], 0.0 if found is None else 1.0)
            yield from found or []
        yield up
        yield from checks.families()
        yield InfoMetricFamily("taskmanager_build", "The release", value=_BUILD)


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


def _database() -> list[Any]:
    ahead = clock.ahead()
    return [
        _gauge(
            "clock_ahead_seconds",
            "How far the clock of the process is ahead of the database's",
            ahead.total_seconds() if ahead else 0.0,
        ),
        _gauge("events_waiting", "Events with pending listeners", outbox.count_pending()),
        _gauge("events_oldest_seconds", "Age of the oldest event with pending listeners", outbox.oldest_seconds()),
        _gauge("events_dead", "Events that were given up", outbox.count_dead()),
        _gauge("events_position", "Position of the last event", positions.head()),
        _gauge("events_position_lag_seconds", "Age of the oldest event without a position", positions.lag_seconds()),
        *_deliveries(),
        *_sessions(),
        *_backup(),
    ]


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

    def read(self) -> session_report.SessionReport | None:
        if time.monotonic() >= self.until:
            self.found = unless_away(session_report.report)
            self.until = time.monotonic() + _SESSIONS_SECONDS
        return self.found


_session_figures = _SessionFigures()


def _sessions() -> list[Any]:
    found = _session_figures.read()
    if found is None:
        return []
    active = GaugeMetricFamily("taskmanager_active_users", "Users with a login or a refresh", labels=["period"])
    for period, number in found["active_users"].items():
        active.add_metric([period], number)
    return [GaugeMetricFamily("taskmanager_sessions", "Sessions that are live", value=found["live"]), active]
