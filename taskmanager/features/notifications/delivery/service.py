"""Deliveries: each is one event for one recipient on one channel, planned once and tried until it is finished.

The job that plans a delivery claims it and sends it at once. Until it is finished it stays `pending` with a `due_at`,
at which the relay dispatches it again: after a failure, the death of a worker, or the loss of the queue. What a channel
raises decides the state of the delivery.
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
from taskmanager.core.jobs import ORIGIN, origin, origin_of
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.security.redaction import scrub
from taskmanager.core.storage.orders import Filter, Row
from taskmanager.core.telemetry import spans
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
# Of a claim, beyond the maximum of the channel; after which a delivery looks again for the leader of its group.
_SPARE_SECONDS, _LEADER_SECONDS = 5, 2
_THREAD_WAIT, _throttle = timedelta(seconds=0.5), Throttle(20)  # of deliveries without a free thread
_MAX_KEPT_ATTEMPTS, _MAX_ERROR_CHARACTERS, _BATCH = 10, 500, 200


def retry_policy() -> RetryPolicy:
    """Return when failed deliveries are retried: for `delivery_hours`, with delays of at most four hours."""
    duration = timedelta(hours=settings.current().delivery_hours)
    return RetryPolicy(
        first_seconds=5, factor=3, max_seconds=4 * 3600, jitter=0.2, min_attempts=8, give_up_after=duration
    )


def plan(rows: Sequence[Row]) -> list[Delivery]:
    """Insert the deliveries that do not exist yet; return those to send at once, claimed for the caller.

    Each row has `event_id`, `channel`, `recipient_id` and optional fields; one that must wait has `due_at`.
    """
    if not rows:
        return []
    new = [_new_row(row) for row in rows]
    keys = [{name: row[name] for name in ("event_id", "channel", "recipient_id")} for row in new]
    writes = [
        UpdateOne(key, {"$setOnInsert": {name: value for name, value in row.items() if name not in key}}, True)
        for key, row in zip(keys, new, strict=True)
    ]
    result = Delivery._get_collection().bulk_write(writes, ordered=False)
    return [Delivery._from_son(new[index]) for index in result.upserted_ids or {} if "due_at" not in rows[index]]


def send_all(claimed: Iterable[Delivery], written: Iterable[Notice] = ()) -> None:
    """Send deliveries that the caller has claimed while the claims last; the relay dispatches the rest again.

    `written` are notices that were just written and need not be written anew.
    """
    notices = {(notice.recipient_id, notice.kind): [notice] for notice in written}
    for delivery in sorted(claimed, key=_threads_of):  # first those sent within the job: they wait for no thread
        _start(delivery, notices.get((delivery.recipient_id, delivery.kind)))


def send(delivery_id: ObjectId) -> None:
    """Attempt a delivery unless it is finished or being tried. Safe to repeat.

    The leader of its group is sent with all followers, whichever of them was dispatched.
    """
    leader = grouping.leader_of(delivery_id)
    if leader is None:
        return
    delivery = _claim(leader)
    if delivery is not None:
        _start(delivery, None)
    elif leader["_id"] != delivery_id:  # a worker is sending the leader, and will include this one unless it fails
        without_leader = {"_id": delivery_id, "state": "pending", "led_by": {"$exists": False}}
        later = {"$set": {"due_at": now() + timedelta(seconds=_LEADER_SECONDS)}}
        Delivery._get_collection().update_one(without_leader, later)


@source(SEND)
def dispatch(in_flight: set[str], room: int) -> int:
    """Enqueue a job for each delivery that is due. Return how many are due. The relay calls this."""
    due = Delivery.objects(due_at__lte=now()).order_by("due_at").limit(min(room, _BATCH)).hint("due_at")
    found = list(due.only("id", "channel", "due_at", "kind", *ORIGIN))
    updates: list[UpdateOne] = []
    try:
        for delivery in found:
            if job_id(SEND, delivery.id) not in in_flight:
                channel = channels.find(delivery.channel)
                queue, description = channel.queue if channel else "low", f"{delivery.kind} by {delivery.channel}"
                enqueue(queue, SEND, delivery.id, description, origin_of(delivery))
            again = now() + timedelta(seconds=settings.current().job_silence_seconds)
            # due_at is part of the filter: a job that started meanwhile has set its own
            updates.append(UpdateOne({"_id": delivery.id, "due_at": delivery.due_at}, {"$set": {"due_at": again}}))
    finally:
        if updates:
            Delivery._get_collection().bulk_write(updates, ordered=False)
    return len(found)


def replay(*delivery_ids: ObjectId) -> int:
    """Make finished deliveries pending again, with their ids and without their groups; return how many there were."""
    fresh = {"state": "pending", "due_at": now(), "wanted_at": now(), "claimed_until": now(), "attempts": 0}
    removed = {"ended_at": 1, "expires_at": 1, "last_error": 1, "first_at": 1, "bundle": 1, "led_by": 1, "counted": 1}
    finished = {"_id": {"$in": delivery_ids}, "state": {"$ne": "pending"}}
    update = {"$set": fresh, "$unset": removed}
    return Delivery._get_collection().update_many(finished, update).modified_count


def count_pending() -> int:
    """Return how many deliveries are pending, counted up to 100 000."""
    return Delivery._get_collection().count_documents({"state": "pending"}, limit=100_000)


def purge(before: datetime) -> int:
    """Delete the deliveries that became dead before then. Return how many."""
    return Delivery._get_collection().delete_many({"state": "dead", "ended_at": {"$lt": before}}).deleted_count


def _new_row(row: Row) -> Row:
    """Return the stored form of a new delivery: one to send at once is claimed, and due when the claim ends."""
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
        **origin(),
        **row,
    }


def _claim(known: Row) -> Delivery | None:
    """Claim a delivery for as long as sending may take.

    Return None when it is finished, follows a leader, or is claimed already.
    """
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


def _start(delivery: Delivery, own: list[Notice] | None) -> None:
    """Send the delivery in a thread of its channel, or within the job; postpone it when all threads are busy."""
    if not thread_pool.run(delivery.channel, _threads_of(delivery), partial(_attempt, delivery, own)):
        _postpone(delivery, None)


def _threads_of(delivery: Delivery) -> int:
    channel = channels.find(delivery.channel)
    return channel.threads if channel else 0


def _attempt(delivery: Delivery, own: list[Notice] | None) -> None:
    """Send the delivery with its group, and record the outcome. Raises PyMongoError."""
    try:
        channel = _channel(delivery)
        with spans.span(f"send {delivery.channel}", delivery__id=str(delivery.id), event__action=delivery.kind):
            note = channel.send(_message(delivery, own, channel.seconds))
    except grouping.ClaimLost:
        return
    except PyMongoError:
        raise  # the claim ends by itself
    except Postponed as later:
        _postpone(delivery, later.until, later.group)
    except Cancelled as reason:
        _finish(delivery, "cancelled", reason.detail, None)
    except Rejected as reason:
        log.warning("delivery refused", delivery_id=str(delivery.id), channel=delivery.channel)
        _finish(delivery, "dead", reason.detail, reason.note)
    except Exception as error:  # a channel may raise anything; other deliveries must not fail with it
        _fail(delivery, error)
    else:
        _finish(delivery, "sent", None, note)


def _channel(delivery: Delivery) -> Channel:
    """Return the channel. Raises Cancelled when it is not installed, Postponed when the claim ends too soon."""
    channel = channels.find(delivery.channel)
    if channel is None:
        raise Cancelled("This channel is not installed.")
    if now() + timedelta(seconds=channel.seconds) >= delivery.claimed_until:
        raise Postponed(now())
    return channel


def _message(delivery: Delivery, own: list[Notice] | None, seconds: float) -> Message:
    """Return the message, with a claim that lasts for the `seconds` that sending may take.

    Raises ClaimLost, Cancelled, Postponed.
    """
    extend_claim = partial(_extend_claim, delivery, seconds)
    message = (
        Message(delivery, [])
        if delivery.has_body or delivery.body is not None
        else grouping.message(delivery, own, extend_claim)
    )
    if not extend_claim():
        raise grouping.ClaimLost
    return message


def _extend_claim(delivery: Delivery, seconds: float) -> bool:
    """Extend the claim unless it lasts for `seconds` more; return False when another worker has it."""
    moment = now()
    if moment + timedelta(seconds=seconds) < delivery.claimed_until:
        return True
    ends = moment + timedelta(seconds=seconds + _SPARE_SECONDS)
    claim = {"$set": {"claimed_until": ends, "due_at": ends}}
    extended = Delivery._get_collection().update_one(_own_claim(delivery), claim).modified_count
    delivery.claimed_until = ends
    return bool(extended)


def _fail(delivery: Delivery, error: Exception) -> None:
    """Schedule a retry after a failed attempt; the delivery is dead when the retry policy is exhausted."""
    note = error.note if isinstance(error, Failed) else None
    reason = scrub(f"{type(error).__name__}: {error}")[:_MAX_ERROR_CHARACTERS]
    log.warning("delivery failed", delivery_id=str(delivery.id), channel=delivery.channel, error=type(error).__name__)
    moment, retry = now(), retry_policy()
    if retry.exhausted(delivery.attempts, moment - (delivery.first_at or moment)):
        _finish(delivery, "dead", reason, note)
        return
    changes = {"last_error": reason, "claimed_until": moment, "due_at": moment + retry.delay(delivery.attempts)}
    _record_outcome(delivery, {"$set": changes}, "failed", note)


def _postpone(delivery: Delivery, until: datetime | None, group: str | None = None) -> None:
    """Make the delivery due then, or when a thread may be free; no attempt is counted. Move it to `group` if given."""
    if group:
        grouping.move_to_group(delivery, group, until or now())
    until = until or _throttle.next(delivery.channel, now() + _THREAD_WAIT)
    changes = {"$set": {"claimed_until": now(), "due_at": until}, "$inc": {"attempts": -1}}
    Delivery._get_collection().update_one(_own_claim(delivery), changes)


def _finish(delivery: Delivery, state: str, reason: str | None, note: Note | None) -> None:
    """Write the final state of the delivery and its followers."""
    final = grouping.final_fields(state, reason and scrub(reason)[:_MAX_ERROR_CHARACTERS])
    removed = {"due_at": 1} | ({} if reason else {"last_error": 1})
    if not _record_outcome(delivery, {"$set": final, "$unset": removed}, state, note):
        return
    if delivery.group:
        followers = {"led_by": delivery.id, "state": "pending"}
        Delivery._get_collection().update_many(followers, {"$set": final})


def _record_outcome(delivery: Delivery, update: dict[str, Any], outcome: str, note: Note | None) -> bool:
    """Write and count the outcome of an attempt; return False when another worker has the claim."""
    logged = {"$push": {"log": {"$each": [note], "$slice": -_MAX_KEPT_ATTEMPTS}}} if note else {}
    written = Delivery._get_collection().update_one(_own_claim(delivery), update | logged).modified_count
    if written:
        ATTEMPTS.count(delivery.channel, outcome)
    return bool(written)


def _own_claim(delivery: Delivery) -> Filter:
    """Return the query of the delivery under our claim: another worker may have claimed it after ours ended."""
    return {"_id": delivery.id, "state": "pending", "claimed_until": delivery.claimed_until}
