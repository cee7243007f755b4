"""From committed events to jobs, and back to "all have finished".

An event names the listeners that have not finished with it. The relay turns each into a job whose id is
made of listener and event, so that handing it out twice makes one job; the job takes its listener off the
event when it is done. What was lost on the way, with the queue, a worker or the relay, is still named in
the event and is handed out again: the queue may be emptied without losing anything.
"""

from datetime import timedelta
from typing import Any

from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from taskmanager.core.clock import now
from taskmanager.core.events import Event, listener
from taskmanager.core.stores import queue_store

QUEUES = ("high", "default", "low")
JOB = "taskmanager.core.jobs.perform"
JOB_SECONDS = 60
_KEEP_FINISHED_SECONDS = 600
_KEEP_FAILED_SECONDS = 7 * 24 * 3600
_BATCH = 200
_MOST_QUEUED = 2_000
_FIRST_REPEAT_SECONDS = 15
_LONGEST_REPEAT_SECONDS = 3600
_MOST_ATTEMPTS = 40  # with the delays above: more than a day
_ENDED = {JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED}


def relay_batch() -> int:
    """Hand out the next due events in the order of their commit; answers how many. Raises RedisError, PyMongoError."""
    room = _MOST_QUEUED - sum(queue(name).count for name in QUEUES)
    if room <= 0:
        return 0
    due = Event.objects(due_at__lte=now()).order_by("at", "seq").limit(min(room, _BATCH))
    events = list(due.hint("relay"))
    for event in events:
        _hand_out(event)
    return len(events)


def acknowledge(event_id: Any, name: str) -> None:
    """Take listener `name` off the event; when it was the last, the relay is done with it. One atomic update."""
    left = {"$setDifference": [{"$ifNull": ["$pending", []]}, [name]]}
    due_at = {"$cond": [{"$eq": [left, []]}, "$$REMOVE", "$due_at"]}
    Event._get_collection().update_one({"_id": event_id}, [{"$set": {"due_at": due_at, "pending": left}}])


def queue(name: str) -> Queue:
    """The queue of this urgency. JSON, because what a pickle holds can run code."""
    return Queue(name, connection=queue_store(), serializer=JSONSerializer, default_timeout=JOB_SECONDS)


def waiting() -> int:
    """How many events are not finished by all their listeners."""
    return Event._get_collection().count_documents({"due_at": {"$exists": True}}, limit=100_000)


def _hand_out(event: Event) -> None:
    started = [_enqueue(event, name) for name in event.pending]
    if not any(started):  # all still queued or running: look again soon, and count no attempt
        return _look_again(event, _FIRST_REPEAT_SECONDS, attempts=event.attempts)
    delay = min(_FIRST_REPEAT_SECONDS * 2**event.attempts, _LONGEST_REPEAT_SECONDS)
    return _look_again(event, delay, attempts=event.attempts + 1)


def _look_again(event: Event, delay: float, *, attempts: int) -> None:
    update: dict[str, Any] = {"$set": {"due_at": now() + timedelta(seconds=delay), "attempts": attempts}}
    if attempts >= _MOST_ATTEMPTS:
        update = {"$set": {"died_at": now(), "attempts": attempts}, "$unset": {"due_at": 1}}
    # due_at is part of the filter: a job that finished meanwhile has removed it, and it must stay removed
    Event._get_collection().update_one({"_id": event.id, "due_at": event.due_at}, update)


def _enqueue(event: Event, name: str) -> bool:
    """Make the job of one listener; False when it is already queued or running."""
    known = listener(name)
    if known is None:  # a plugin that is no longer installed: nobody will ever finish this
        acknowledge(event.id, name)
        return True
    job_id = f"{name}-{event.id}"
    try:
        _make_job(known.queue, job_id, name, event)
    except DuplicateJobError:
        if not _remove_ended(job_id):
            return False
        _make_job(known.queue, job_id, name, event)
    return True


def _make_job(queue_name: str, job_id: str, name: str, event: Event) -> None:
    queue(queue_name).enqueue_call(
        JOB,
        args=(name, str(event.id)),
        job_id=job_id,
        unique=True,
        timeout=JOB_SECONDS,
        result_ttl=_KEEP_FINISHED_SECONDS,
        failure_ttl=_KEEP_FAILED_SECONDS,
        description=f"{name} of {event.kind} {event.id}",
        meta=dict(event.correlation),
    )


def _remove_ended(job_id: str) -> bool:
    try:
        job = Job.fetch(job_id, connection=queue_store(), serializer=JSONSerializer)
        if job.get_status(refresh=False) not in _ENDED:
            return False
        job.delete()
    except NoSuchJobError:
        pass
    return True


