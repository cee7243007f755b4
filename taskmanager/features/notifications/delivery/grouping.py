"""Bundles: deliveries to one person that go out as one message. The oldest leads, and the others follow it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.core.storage.querysets import Row
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.channels.base import Cancelled, Message, Postponed
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.kinds import UNCHOSEN
from taskmanager.features.notifications.models import DIGEST, Delivery, Preferences
from taskmanager.features.notifications.policy import levels, quiet_hours
from taskmanager.features.notifications.policy.levels import NotificationPolicy
from taskmanager.features.users import service as users


class Lost(Exception):
    """Another worker has the claim by now."""


_TO_CLAIM = {"bundle": 1, "attempts": 1, "channel": 1, "first_at": 1}
MAX_NOTICES, MAX_GROUPED = 100, 1000  # notices in one message, and of how many events they are chosen


def leader_of(delivery_id: ObjectId) -> Row | None:
    """Return what is needed to claim the delivery that goes first; None when this one is settled.

    That is the oldest of its bundle that was not tried, or that a worker tries just now; else the delivery itself.
    """
    collection = Delivery._get_collection()
    row = collection.find_one({"_id": delivery_id, "state": "pending"}, _TO_CLAIM)
    if row is None or "bundle" not in row or row["attempts"]:
        return row
    bundled = {"bundle": row["bundle"], "state": "pending", "led_by": {"$exists": False}}
    free = {"$or": [{"attempts": 0}, {"claimed_until": {"$gt": now()}}]}
    return collection.find_one(bundled | free, _TO_CLAIM, sort=[("created_at", 1), ("_id", 1)]) or row


def message(delivery: Delivery, ready: list[Notice] | None, hold: Callable[[], bool]) -> Message:
    """Return what it tells, with what waits to be told together with it; `ready` is its own notice if that was just
    written.

    What the recipient does not want to be told any more is left out; of very many the latest are told. Making them may
    take longer than a claim lasts, so `hold` is asked before each: it prolongs the claim, or says that it is lost.
    Raises Lost then, Cancelled when there is nothing to be told any more, Postponed in quiet hours.
    """
    event_ids = _follow(delivery, alone=ready is not None)
    if ready and not event_ids:
        return Message(delivery, ready)
    events = sorted(Event.objects(id__in=[delivery.event_id, *event_ids]), key=lambda event: (event.at, event.seq))
    written = {delivery.event_id: ready} if ready else {}
    told = [
        (event.id, written.get(event.id) or _made(event, delivery.recipient_id, hold))
        for event in events[-MAX_GROUPED:]
    ]
    policy_of = levels.load_policies(notice for _, each in told for notice in each)
    found = _still_wanted(delivery, told, policy_of)
    if not found:
        raise Cancelled("There is nothing to be told any more.")
    _mind_quiet_hours(delivery, found, policy_of[delivery.recipient_id].general)
    latest = found[-MAX_NOTICES:]
    return Message(delivery, latest, len(found) - len(latest) + len(events) - len(told))


def _made(event: Event, recipient_id: ObjectId, hold: Callable[[], bool]) -> list[Notice]:
    if not hold():
        raise Lost
    return notices.of(event, recipient_id)


def _still_wanted(
    delivery: Delivery, found: list[tuple[ObjectId, list[Notice]]], policy_of: dict[ObjectId, NotificationPolicy]
) -> list[Notice]:
    """Return without what the recipient is not to be told any more."""
    kept = [
        (event_id, [notice for notice in each if delivery.channel in policy_of[notice.recipient_id].channels(notice)])
        for event_id, each in found
    ]
    _cancel(delivery, [event_id for event_id, each in kept if not each])
    return [notice for _, each in kept for notice in each]


def _mind_quiet_hours(delivery: Delivery, found: list[Notice], policy: Preferences) -> None:
    """Raise Postponed when quiet hours have begun since it was planned: they were turned on, or it did not go out.

    Reminders and digests come at the time that was chosen for them; a digest that failed then waits as others do.
    """
    channel = channels.find(delivery.channel)
    chosen = any(notice.kind == "task.reminder" or notice.kind in UNCHOSEN for notice in found) or (
        delivery.attempts == 1 and str(delivery.bundle).endswith(f":{DIGEST}")
    )
    if chosen or not policy.quiet_from or channel is None or not channel.bundled:
        return
    zone = users.timezones([policy.user_id]).get(policy.user_id, zones.DEFAULT)
    moment = now()
    until = quiet_hours.after_quiet(moment, policy.quiet_from, policy.quiet_to, zone)
    if until > moment:
        raise Postponed(until)


def _cancel(leader: Delivery, event_ids: list[ObjectId]) -> None:
    """Settle those that follow it and have nothing to tell any more."""
    if leader.bundle and event_ids:
        followers = {"led_by": leader.id, "state": "pending", "event_id": {"$in": event_ids}}
        Delivery._get_collection().update_many(followers, {"$set": fate("cancelled", "Not to be told any more.")})


def fate(state: str, words: str | None) -> dict[str, Any]:
    """Return what is written of a delivery that is settled; `words` say why it was not sent."""
    moment, chosen = now(), settings.current()
    days = chosen.dead_delivery_days if state == "dead" else chosen.delivery_days
    written: dict[str, Any] = {"state": state, "ended_at": moment, "expires_at": moment + timedelta(days=days)}
    return written | ({"last_error": words} if words else {})


def join(delivery: Delivery, bundle: str, until: datetime) -> None:
    """Put a delivery and what follows it into another bundle, each by itself, to be due then."""
    collection = Delivery._get_collection()
    alone = {"$set": {"bundle": bundle, "due_at": until}, "$unset": {"led_by": 1}}
    collection.update_many({"led_by": delivery.id, "state": "pending"}, alone)
    collection.update_one({"_id": delivery.id, "state": "pending"}, {"$set": {"bundle": bundle}})


def finish_followers() -> int:
    """Let those that follow a delivery which is settled share its fate, and those that follow none go alone.

    For what was left between two steps; answers how many.
    """
    collection, count = Delivery._get_collection(), 0
    left = {"state": "pending", "led_by": {"$exists": True}}
    for leader_id in collection.distinct("led_by", left):
        leader = collection.find_one({"_id": leader_id}, {"state": 1, "ended_at": 1, "expires_at": 1}) or {}
        if leader.get("state") == "pending":
            continue
        shared = {"$set": {name: value for name, value in leader.items() if name != "_id"}}
        alone = {"$unset": {"led_by": 1}, "$set": {"due_at": now()}}
        count += collection.update_many(left | {"led_by": leader_id}, shared if leader else alone).modified_count
    return count


def _follow(delivery: Delivery, *, alone: bool) -> list[ObjectId]:
    """Let what is bundled with it follow it; answers the ids of the events. `alone`: nothing follows it yet."""
    if not delivery.bundle:
        return []
    collection = Delivery._get_collection()
    if delivery.attempts == 1:  # what is sent again is the same as before
        others = _bundled_with(delivery)
        if alone and collection.find_one(others, {"_id": 1}) is None:
            return []
        collection.update_many(others, {"$set": {"led_by": delivery.id}, "$unset": {"due_at": 1}})
    led = {"led_by": delivery.id, "state": "pending"}
    return [row["event_id"] for row in collection.find(led, {"event_id": 1})]


def _bundled_with(delivery: Delivery) -> dict[str, Any]:
    """Return those of its bundle that were not tried yet."""
    return {
        "bundle": delivery.bundle,
        "state": "pending",
        "led_by": {"$exists": False},
        "claimed_until": {"$lte": now()},
        "_id": {"$ne": delivery.id},
        "attempts": 0,
    }
