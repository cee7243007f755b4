"""Deliveries: each is one event for one recipient on one channel, made once and tried until it is settled.

The job that plans a delivery claims it and sends it at once. Whatever comes between, it stays `pending` with a
`due_at`, at which the relay hands it out again: after a failure, after the death of a worker, after the queue was
emptied. What a channel raises decides what becomes of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from bson import ObjectId
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import PyMongoError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events.outbox import enqueue, job_id, source
from taskmanager.core.events.outcome_counters import OutcomeCounter
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.security.redaction import redact
from taskmanager.core.storage.querysets import Row
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.channels.base import (
    Cancelled,
    Channel,
    Failed,
    Message,
    Note,
    Postponed,
    Rejected,
)
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.delivery import grouping, thread_pool
from taskmanager.features.notifications.delivery.throttle import Throttle
from taskmanager.features.notifications.models import Delivery

log = structlog.get_logger("taskmanager.deliveries")

SEND = "notifications.send"
ATTEMPTS = OutcomeCounter("attempts", "sent", "failed", "dead", "cancelled")  # by channel
_SPARE_SECONDS = 5  # of a claim, beyond the longest that the channel takes
_LEADER_SECONDS = 2
_NO_ROOM, _room = timedelta(seconds=0.5), Throttle(20)
_MAX_KEPT_ATTEMPTS = 10
_BATCH = 200
_MAX_ERROR_CHARACTERS = 500


def retry_policy() -> RetryPolicy:
    """Return when a delivery that failed is tried again: for the hours of the settings, at most every four hours."""
    lasts = timedelta(hours=settings.current().delivery_hours)
    return RetryPolicy(first_seconds=5, factor=3, max_seconds=4 * 3600, jitter=0.2, min_attempts=8, give_up_after=lasts)


def plan(rows: Sequence[dict[str, Any]]) -> list[Delivery]:
    """Make the deliveries that are not there yet; answers those that are to be sent at once, claimed for the caller.

    Each row has event_id, channel, recipient_id and what else is known; one that is to wait has `due_at`.
    """
    if not rows:
        return []
    made = [_prepared(row) for row in rows]
    places = [{name: row[name] for name in ("event_id", "channel", "recipient_id")} for row in made]
    writes = [
        UpdateOne(place, {"$setOnInsert": {name: value for name, value in row.items() if name not in place}}, True)
        for place, row in zip(places, made, strict=True)
    ]
    result = Delivery._get_collection().bulk_write(writes, ordered=False)
    return [Delivery._from_son(made[index]) for index in result.upserted_ids or {} if "due_at" not in rows[index]]


def send_all(claimed: Iterable[Delivery], known: Iterable[Notice] = ()) -> None:
    """Send what the caller has claimed, as far as its claims last; the rest is handed out again.

    `known` are notices that were just written, so that they need not be written anew.
    """
    ready = {(notice.recipient_id, notice.kind): [notice] for notice in known}
    for delivery in sorted(claimed, key=_threads_of):  # first what is sent within the job: it waits for no other
        _begin(delivery, ready.get((delivery.recipient_id, delivery.kind)))


def send(delivery_id: ObjectId) -> None:
    """Try a delivery, unless it is settled or being tried. Safe to repeat.

    Of a bundle the oldest goes first and takes the others along, whichever of them was handed out.
    """
    leader = grouping.leader_of(delivery_id)
    if leader is None:
        return
    delivery = _claim(leader)
    if delivery is not None:
        _begin(delivery, None)
    elif leader["_id"] != delivery_id:  # a worker is about to take this one along, or will have failed
        alone = {"_id": delivery_id, "state": "pending", "led_by": {"$exists": False}}
        again = {"$set": {"due_at": now() + timedelta(seconds=_LEADER_SECONDS)}}
        Delivery._get_collection().update_one(alone, again)


@source(SEND)
def dispatch(in_flight: set[str], room: int) -> int:
    """Make jobs of the deliveries that are due; answers how many. Called by the relay."""
    due = Delivery.objects(due_at__lte=now()).order_by("due_at").limit(min(room, _BATCH)).hint("due_at")
    found = list(due.only("id", "channel", "due_at", "kind"))
    updates: list[UpdateOne] = []
    try:
        for delivery in found:
            if job_id(SEND, delivery.id) not in in_flight:
                channel = channels.find(delivery.channel)
                words = f"{delivery.kind} by {delivery.channel}"
                enqueue(channel.queue if channel else "low", SEND, delivery.id, words, {})
            again = now() + timedelta(seconds=settings.current().job_silence_seconds)
            # due_at is part of the filter: a job that has begun meanwhile has set its own
            updates.append(UpdateOne({"_id": delivery.id, "due_at": delivery.due_at}, {"$set": {"due_at": again}}))
    finally:
        if updates:
            Delivery._get_collection().bulk_write(updates, ordered=False)
    return len(found)


def replay(delivery_id: ObjectId) -> bool:
    """Have a settled delivery sent once more, by itself and under the same id; False when it is not settled."""
    fresh = {"state": "pending", "due_at": now(), "wanted_at": now(), "claimed_until": now(), "attempts": 0}
    gone = {"ended_at": 1, "expires_at": 1, "last_error": 1, "first_at": 1, "bundle": 1, "led_by": 1, "counted": 1}
    settled = {"_id": delivery_id, "state": {"$ne": "pending"}}
    update = {"$set": fresh, "$unset": gone}
    return bool(Delivery._get_collection().update_one(settled, update).modified_count)


def waiting() -> int:
    """Return how many are not settled."""
    return Delivery._get_collection().count_documents({"state": "pending"}, limit=100_000)


def purge(before: datetime) -> int:
    """Forget what was given up before then; answers how many."""
    found = {"state": "dead", "ended_at": {"$lt": before}}
    return Delivery._get_collection().delete_many(found).deleted_count


def _prepared(row: dict[str, Any]) -> dict[str, Any]:
    """Return as it is stored: one that is to be sent at once is claimed, and due again when the claim ends."""
    moment = now()
    ends = _end_of_claim(row["channel"], moment)
    waits = "due_at" in row
    return {
        "_id": ObjectId(),
        "state": "pending",
        "claimed_until": moment if waits else ends,
        "due_at": ends,
        "attempts": 0 if waits else 1,
        "created_at": moment,
        "wanted_at": row.get("due_at", moment),
        **({} if waits else {"first_at": moment}),
        **row,
    }


def _claim(known: Row) -> Delivery | None:
    """Claim a delivery for as long as sending may take; None when it is settled, led by another, or claimed already."""
    moment = now()
    ends = _end_of_claim(known["channel"], moment)
    free = {"_id": known["_id"], "state": "pending", "led_by": {"$exists": False}, "claimed_until": {"$lte": moment}}
    claim = {"claimed_until": ends, "due_at": ends}
    first = {} if known.get("first_at") else {"first_at": moment}
    row = Delivery._get_collection().find_one_and_update(
        free, {"$set": claim | first, "$inc": {"attempts": 1}}, return_document=ReturnDocument.AFTER
    )
    return row and Delivery._from_son(row)


def _end_of_claim(channel_name: str, moment: datetime) -> datetime:
    channel = channels.find(channel_name)
    return moment + timedelta(seconds=(channel.seconds if channel else 0) + _SPARE_SECONDS)


def _begin(delivery: Delivery, ready: list[Notice] | None) -> None:
    """Have it sent, beside the job where the worker can; put it off when all that could send it is taken."""
    if not thread_pool.run(delivery.channel, _threads_of(delivery), partial(_attempt, delivery, ready)):
        _postpone(delivery, None)


def _threads_of(delivery: Delivery) -> int:
    channel = channels.find(delivery.channel)
    return channel.threads if channel else 0


def _attempt(delivery: Delivery, ready: list[Notice] | None) -> None:
    """Send it with what is bundled with it, and write down what became of it. Raises PyMongoError."""
    try:
        channel = _channel(delivery)
        note = channel.send(_message(delivery, ready, channel.seconds))
    except grouping.Lost:
        return
    except PyMongoError:
        raise  # the claim ends by itself
    except Postponed as later:
        _postpone(delivery, later.until, later.bundle)
    except Cancelled as reason:
        _finish(delivery, "cancelled", reason.detail, None)
    except Rejected as reason:
        log.warning("delivery refused", delivery_id=str(delivery.id), channel=delivery.channel)
        _finish(delivery, "dead", reason.detail, reason.note)
    except Exception as error:  # whatever a channel does, the others must go on
        _failed(delivery, error)
    else:
        _finish(delivery, "sent", None, note)


def _channel(delivery: Delivery) -> Channel:
    """Return what sends it. Raises Cancelled when that is not installed, Postponed when too little is left of the
    claim.
    """
    channel = channels.find(delivery.channel)
    if channel is None:
        raise Cancelled("This channel is not installed.")
    if now() + timedelta(seconds=channel.seconds) >= delivery.claimed_until:
        raise Postponed(now())
    return channel


def _message(delivery: Delivery, ready: list[Notice] | None, seconds: float) -> Message:
    """Return what it tells, while the claim is ours for as long as sending may take. Raises Lost,
    Cancelled, Postponed.
    """
    hold = partial(_renewed, delivery, seconds)
    message = (
        Message(delivery, [])
        if delivery.has_body or delivery.body is not None
        else grouping.message(delivery, ready, hold)
    )
    if not hold():
        raise grouping.Lost
    return message


def _renewed(delivery: Delivery, seconds: float) -> bool:
    """Return whether the claim is ours for as long as sending may take; making many notices takes its time."""
    moment = now()
    if moment + timedelta(seconds=seconds) < delivery.claimed_until:
        return True
    ends = moment + timedelta(seconds=seconds + _SPARE_SECONDS)
    claim = {"$set": {"claimed_until": ends, "due_at": ends}}
    renewed = Delivery._get_collection().update_one(_tried(delivery), claim).modified_count
    delivery.claimed_until = ends
    return bool(renewed)


def _failed(delivery: Delivery, error: Exception) -> None:
    note = error.note if isinstance(error, Failed) else None
    words = redact(f"{type(error).__name__}: {error}")[:_MAX_ERROR_CHARACTERS]
    log.warning("delivery failed", delivery_id=str(delivery.id), channel=delivery.channel, error=type(error).__name__)
    moment, retry = now(), retry_policy()
    if retry.exhausted(delivery.attempts, moment - (delivery.first_at or moment)):
        return _finish(delivery, "dead", words, note)
    changes = {"last_error": words, "claimed_until": moment, "due_at": moment + retry.delay(delivery.attempts)}
    _written(delivery, {"$set": changes}, "failed", note)
    return None


def _postpone(delivery: Delivery, until: datetime | None, bundle: str | None = None) -> None:
    """Until then, or until there may be room: as if it had not been tried; in another bundle, if one is named."""
    if bundle:
        grouping.join(delivery, bundle, until or now())
    until = until or _room.next(delivery.channel, now() + _NO_ROOM)
    changes = {"$set": {"claimed_until": now(), "due_at": until}, "$inc": {"attempts": -1}}
    Delivery._get_collection().update_one(_tried(delivery), changes)


def _finish(delivery: Delivery, state: str, words: str | None, note: Note | None) -> None:
    fate = grouping.fate(state, words and redact(words)[:_MAX_ERROR_CHARACTERS])
    gone = {"due_at": 1} | ({} if words else {"last_error": 1})
    if not _written(delivery, {"$set": fate, "$unset": gone}, state, note):
        return
    if delivery.bundle:
        followers = {"led_by": delivery.id, "state": "pending"}
        Delivery._get_collection().update_many(followers, {"$set": fate})


def _written(delivery: Delivery, update: dict[str, Any], outcome: str, note: Note | None) -> bool:
    """Write down and count what came of an attempt, unless it is not ours any more; answers whether it was."""
    logged = {"$push": {"log": {"$each": [note], "$slice": -_MAX_KEPT_ATTEMPTS}}} if note else {}
    written = Delivery._get_collection().update_one(_tried(delivery), update | logged).modified_count
    if written:
        ATTEMPTS.count(delivery.channel, outcome)
    return bool(written)


def _tried(delivery: Delivery) -> dict[str, Any]:
    """Return the delivery as long as it is ours: another may have claimed it when we took too long."""
    return {"_id": delivery.id, "state": "pending", "claimed_until": delivery.claimed_until}
