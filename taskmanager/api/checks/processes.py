"""Checks of what runs beside the web servers: queues, workers, relay and scheduler."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC

from taskmanager.api.checks.measured import HealthCheck, Measured, above
from taskmanager.core.clock import iso, now
from taskmanager.core.configuration import settings
from taskmanager.core.configuration.service_groups import WORKING_SERVICES
from taskmanager.core.events import outbox, queue_report, schedule
from taskmanager.core.events.log import QUEUES
from taskmanager.core.servers import backups, service_state
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage.lease import LeaseRecord
from taskmanager.features.notifications.delivery import report as delivery_report

_SILENT_SECONDS = 60.0
_SECONDS = 0.9
_BACKUP_HOURS = 26.0
_LEASES = {"relay": "relay", "schedule": "scheduler"}


def _queues() -> Iterator[Measured]:
    for name, report in queue_report.report().items():
        yield above("queue:age", report["oldest_s"], "s", warn=60, fail=900, name=name)
        yield above("queue:waiting", report["waiting"], "jobs", warn=5_000, name=name)
        yield above("queue:failed", report["failed"], "jobs", warn=100, name=name)


def _workers() -> Iterator[Measured]:
    """Count the workers of each queue that have sent a heartbeat within a minute."""
    from rq import Worker  # what runs jobs: 1 MB that most web processes do not need

    numbers = dict.fromkeys(QUEUES, 0)
    for worker in Worker.all(connection=queue_store(_SECONDS)):
        beaten = worker.last_heartbeat
        if beaten and (now() - beaten.replace(tzinfo=UTC)).total_seconds() < _SILENT_SECONDS:
            for name in worker.queue_names():
                numbers[name] = numbers.get(name, 0) + 1
    for name, number in numbers.items():
        output = "" if number else "No worker serves this queue: start `taskmanager worker`."
        yield Measured("workers:living", number, "processes", "pass" if number else "fail", output, name)


def _leases() -> Iterator[Measured]:
    """Tell whether a relay and a scheduler hold their leases, by the clock of the database."""
    held = {"$expr": {"$gt": ["$until", {"$subtract": ["$$NOW", 10_000]}]}}
    holders = {row["_id"] for row in LeaseRecord._get_collection().find(held, {"_id": 1})}
    for lease, role in _LEASES.items():
        output = "" if _is_held(lease, holders) else f"No {role} works: start `taskmanager {role}`."
        yield Measured(f"{role}:lease", "held" if not output else "free", "", "fail" if output else "pass", output)


def _is_held(lease: str, holders: set[str]) -> bool:
    """Return whether a lease is held; services apart have one for each set of services, such as `schedule-task`."""
    apart = {name for held in holders if held.startswith(f"{lease}-") for name in held.split("-")[1:]}
    return lease in holders or apart >= set(WORKING_SERVICES)


def _schedules() -> Iterator[Measured]:
    """Tell how late the latest periodic job is: the scheduler is away, or the job fails each time."""
    late = {
        job.name: (now() - due.ran_at).total_seconds() - job.seconds
        for job, due in schedule.listed()
        if due and due.ran_at
    }
    name = max(late, key=late.__getitem__, default="")
    found = above("scheduler:lag", max(0.0, late.get(name, 0.0)), "s", warn=300, fail=3600)
    yield found if found.status == "pass" else replace(found, output=f"{name} has not run in time: {found.output}")


def _events() -> Iterator[Measured]:
    yield above("relay:lag", outbox.oldest_seconds(), "s", warn=60, fail=900)
    yield above("relay:given_up", outbox.count_dead(), "events", warn=1)


def _deliveries() -> Iterator[Measured]:
    found = delivery_report.report()
    yield above("deliveries:age", found["oldest_s"], "s", warn=300, fail=3600)
    yield above("deliveries:dead", found["dead"], "deliveries", warn=100)


def _backup() -> Iterator[Measured]:
    """Tell the age of the last backup; that there was none is a warning in production only."""
    at = backups.last_at()
    if at is not None:
        yield above("backup:age", (now() - at).total_seconds() / 3600, "hours", warn=_BACKUP_HOURS, fail=7 * 24)
    elif settings.current().environment == "production":
        yield Measured("backup:age", None, "hours", "warn", "No backup was made yet: see docs/backup.md.")


def _maintenance() -> Iterator[Measured]:
    found = service_state.current().maintenance
    if found is None:
        yield Measured("service:maintenance", "off")
        return
    late = " Its planned end is over." if found.until and found.until <= now() else ""
    output = f"The service is in maintenance since {iso(found.since)}: nothing can be changed.{late}"
    yield Measured("service:maintenance", "on", "", "warn", output)


PROCESS_CHECKS = (
    HealthCheck("service:maintenance", _maintenance),
    HealthCheck("queue:age", _queues, away="warn"),
    HealthCheck("workers:living", _workers, away="warn"),
    HealthCheck("relay:lease", _leases),
    HealthCheck("scheduler:lag", _schedules),
    HealthCheck("relay:lag", _events),
    HealthCheck("deliveries:age", _deliveries),
    HealthCheck("backup:age", _backup),
)
