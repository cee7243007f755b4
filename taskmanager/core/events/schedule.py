"""Periodic jobs: short functions that the scheduler runs when they are due, once even if several schedulers run.

MongoDB stores when a job is due, and a scheduler claims it by one atomic update. A job that became due while no
scheduler was running runs once, and a run whose process died is repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from mongoengine import DateTimeField, Document, StringField
from pymongo import ReturnDocument

from taskmanager.core.clock import iso, now
from taskmanager.core.configuration import settings
from taskmanager.core.configuration.service_groups import working_service
from taskmanager.core.registry import Part, owner_of
from taskmanager.core.telemetry import spans

log = structlog.get_logger("taskmanager.schedule")

# A claimed run that has not ended by then counts as dead, and is repeated.
_REPEAT_SECONDS = 60
_SPARE_SECONDS = 60


class Due(Document):
    """When a periodic job is due next, and when it last succeeded."""

    meta = {"collection": "schedules", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    due_at = DateTimeField(required=True)
    ran_at = DateTimeField()


@dataclass(frozen=True)
class PeriodicJob:
    """A function that is called every so many seconds. It must be safe to repeat, and short."""

    name: str
    seconds: float
    run: Callable[[], None]

    def __call__(self) -> None:
        self.run()


PERIODIC_JOBS: Part[PeriodicJob] = Part("periodic_jobs")


def every(seconds: float, *, name: str) -> Callable[[Callable[[], None]], PeriodicJob]:
    """Make the decorated function a PeriodicJob, which a Feature contributes."""
    return lambda function: PeriodicJob(name, seconds, function)


def listed() -> list[tuple[PeriodicJob, Due | None]]:
    """Return every periodic job with its record (None before its first run), in the order of the names."""
    known = {due.name: due for due in Due.objects}
    return [(job, known.get(name)) for name, job in sorted(PERIODIC_JOBS.items())]


def run_due() -> int:
    """Run the jobs of this process's services that are due; return how many ran.

    A failure is logged, and the job is repeated. Raises PyMongoError, RegistryNotLoaded.
    """
    return sum(_run(job) for job in PERIODIC_JOBS.values() if _is_ours(job))


def _is_ours(job: PeriodicJob) -> bool:
    owner = owner_of(job.name, "periodic_jobs")
    return working_service(owner.service if owner else "") in settings.current().own_services


def _run(job: PeriodicJob) -> bool:
    claimed = _claim(job)
    if claimed is None:
        return False
    try:
        with spans.first_span(f"periodic {job.name}"):
            job.run()
    except Exception:  # one job that fails must not keep the others from running
        log.exception("periodic job failed", job=job.name)
    else:
        _finish(job, claimed)
    return True


def _claim(job: PeriodicJob) -> datetime | None:
    """Claim the job and return the end of the claim; None when it is not due or another scheduler has claimed it.

    A new job is due at once, and so is one whose due time is impossible because a wrong clock has set it.
    """
    moment = now()
    until = moment + timedelta(seconds=_REPEAT_SECONDS)
    longest = moment + timedelta(seconds=max(job.seconds, _REPEAT_SECONDS) + _SPARE_SECONDS)
    schedules = Due._get_collection()
    schedules.update_one({"_id": job.name}, {"$setOnInsert": {"due_at": moment}}, upsert=True)
    due = schedules.find_one_and_update(
        {"_id": job.name, "$or": [{"due_at": {"$lte": moment}}, {"due_at": {"$gt": longest}}]},
        {"$set": {"due_at": until}},
        return_document=ReturnDocument.BEFORE,
    )
    if due and due["due_at"] > longest:
        log.warning("impossible due time corrected", job=job.name, due_at=iso(due["due_at"]))
    return due and until


def _finish(job: PeriodicJob, claimed: datetime) -> None:
    moment = now()
    Due._get_collection().update_one(
        {"_id": job.name, "due_at": claimed},
        {"$set": {"due_at": moment + timedelta(seconds=job.seconds), "ran_at": moment}},
    )
