"""Queues with their workers and failed jobs, and what happens at a certain time."""

from datetime import datetime
from functools import partial
from typing import Any

from flask import Response
from rq.exceptions import NoSuchJobError
from rq.job import Job

from taskmanager.api.metrics import unless_away
from taskmanager.core.events import outbox, queue_report, schedule
from taskmanager.core.events.outbox import CallSerializer
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage import database
from taskmanager.features.notifications.delivery import report as delivery_report
from taskmanager.ops import tables
from taskmanager.ops.blueprint import MAX_ROWS, ops_page
from taskmanager.ops.tables import Table, duration, short, when

_SECONDS = 0.9
_MAX_JOBS_A_QUEUE = 20
_AWAY = "The queue store does not respond."


@ops_page("/queues")
def queues() -> Response:
    """Return the queues, the workers, the jobs that wait first, and those that failed last."""
    found, living = unless_away(queue_report.report), unless_away(_workers)
    names = [name for name, report in (found or {}).items() if report["waiting"] or report["failed"]]
    return tables.show(
        "Queues",
        Table("Queues", ("Queue", "Waiting", "First has waited", "Running", "Failed"), [
            (name, one["waiting"], duration(one["oldest_s"]), one["running"], one["failed"])
            for name, one in (found or {}).items()
        ], empty=_AWAY),
        Table("Workers", ("Worker", "Queues", "State", "Job", "Last heartbeat"), living or [],
              empty=_AWAY if living is None else "No worker lives: nothing in the queues is done."),
        Table("Jobs that wait, the first of each queue", ("Queue", "Job", "Enqueued"),
              [row for name in names for row in unless_away(partial(_waiting, name)) or []]),
        Table("Jobs that failed last", ("Queue", "Job", "Ended", "Error"),
              [row for name in names for row in unless_away(partial(_failed, name)) or []]),
        text=("A job that failed is dispatched again by the relay: see Events.",),
    )  # fmt: skip


@ops_page("/schedules")
def schedules() -> Response:
    """Return the periodic jobs, planned deliveries, and the collections that expire."""
    number, first = delivery_report.planned()
    jobs = [
        (job.name, duration(job.seconds), when(due and due.ran_at), when(due and due.due_at))
        for job, due in schedule.listed()
    ]
    planned = ("digests, second attempts", number, when(first))
    expiring = [(name,) for name in database.expiring_collections()]
    return tables.show(
        "Schedules",
        Table("Periodic jobs of the scheduler", ("Job", "Every", "Ran", "Due"), jobs),
        Table("By the relay", ("What", "Planned", "The first is due"), [planned]),
        Table("By MongoDB: each document at its time", ("Collection",), expiring),
    )


def _workers() -> list[tuple[object, ...]]:
    from rq import Worker  # what runs jobs: 1 MB that most web processes do not need

    rows: list[tuple[object, ...]] = []
    for one in Worker.all(connection=queue_store(_SECONDS))[:MAX_ROWS]:
        names = ", ".join(one.queue_names())
        rows.append((one.name, names, str(one.get_state()), one.get_current_job_id() or "", when(one.last_heartbeat)))
    return rows


def _waiting(name: str) -> list[tuple[object, ...]]:
    store: Any = queue_store(_SECONDS)
    ids = [row.decode() for row in store.lrange(outbox.queue(name).key, 0, _MAX_JOBS_A_QUEUE - 1)]
    return [(name, short(job_id), when(_moment(store.hget(f"rq:job:{job_id}", "enqueued_at")))) for job_id in ids]


def _failed(name: str) -> list[tuple[object, ...]]:
    queue = outbox.queue(name)
    rows: list[tuple[object, ...]] = []
    for job_id in queue.failed_job_registry.get_job_ids(0, _MAX_JOBS_A_QUEUE - 1, desc=True):
        try:
            job = Job.fetch(job_id, connection=queue.connection, serializer=CallSerializer)
            result = job.latest_result()
        except NoSuchJobError:
            continue
        last = (result.exc_string if result else "") or ""
        rows.append((name, short(job_id), when(job.ended_at), short(last.strip().rpartition("\n")[2])))
    return rows


def _moment(text: bytes | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text.decode()) if text else None
    except ValueError:
        return None
