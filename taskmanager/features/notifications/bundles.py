"""Bundles: deliveries to one person that go out as one message. The oldest leads, and the others follow it."""

from datetime import timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core import settings
from taskmanager.core.clock import now
from taskmanager.core.events import Event
from taskmanager.features.notifications import notices, wishes
from taskmanager.features.notifications.channels import Cancelled, Message
from taskmanager.features.notifications.kinds import UNCHOSEN
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.notifications.notices import Notice
from taskmanager.features.users import service as users

MOST_TOLD, MOST_MADE = 100, 1000  # notices in one message, and of how many events they are chosen


def leader_of(delivery_id: ObjectId) -> ObjectId:
    """The oldest of its bundle that nobody has tried, or that somebody tries just now."""
    collection = Delivery._get_collection()
    row = collection.find_one({"_id": delivery_id, "state": "pending", "attempts": 0}, {"bundle": 1}) or {}
    if "bundle" not in row:
        return delivery_id
    bundled = {"bundle": row["bundle"], "state": "pending", "led_by": {"$exists": False}}
    free = {"$or": [{"attempts": 0}, {"claimed_until": {"$gt": now()}}]}
    oldest = collection.find_one(bundled | free, {"_id": 1}, sort=[("_id", 1)])
    return oldest["_id"] if oldest else delivery_id


def message(delivery: Delivery, ready: list[Notice] | None) -> Message:
    """What it tells, with what waits to be told together with it; `ready` is its own notice if that was just written.

    What the recipient does not want to be told any more is left out; of very many the latest are told.
    Raises Cancelled when there is nothing to be told any more.
    """
    event_ids = _follow(delivery, alone=ready is not None)
    if ready and not event_ids:
        return Message(delivery, ready)
    events = sorted(Event.objects(id__in=[delivery.event_id, *event_ids]), key=lambda event: (event.at, event.id))
    told = [(event.id, notices.of(event, delivery.recipient_id)) for event in events[-MOST_MADE:]]
    found = _still_wanted(delivery, told)
    if not found:
        raise Cancelled("There is nothing to be told any more.")
    latest = found[-MOST_TOLD:]
    return Message(delivery, latest, len(found) - len(latest) + len(events) - len(told))


def _still_wanted(delivery: Delivery, found: list[tuple[ObjectId, list[Notice]]]) -> list[Notice]:
    """Without what a person has turned off meanwhile; a disabled account is told only of itself."""
    flat = [notice for _, each in found for notice in each]
    chosen = any(notice.kind not in UNCHOSEN for notice in flat)
    able = not chosen or bool(users.who_may_act([delivery.recipient_id]))
    wanted = wishes.of(flat)

    def holds(notice: Notice) -> bool:
        if notice.kind in UNCHOSEN:
            return True
        return able and delivery.channel in wanted[notice.recipient_id].channels(notice)

    _cancel(delivery, [event_id for event_id, each in found if not any(map(holds, each))])
    return list(filter(holds, flat))


def _cancel(leader: Delivery, event_ids: list[ObjectId]) -> None:
    """Settle those that follow it and have nothing to tell any more."""
    if not leader.bundle or not event_ids:
        return
    moment = now()
    expires_at = moment + timedelta(days=settings.current().delivery_days)
    fate = {
        "state": "cancelled",
        "ended_at": moment,
        "expires_at": expires_at,
        "last_error": "Not to be told any more.",
    }
    followers = {"led_by": leader.id, "state": "pending", "event_id": {"$in": event_ids}}
    Delivery._get_collection().update_many(followers, {"$set": fate})


def settle_led() -> int:
    """Let those that follow a delivery which is settled share its fate, and those that follow none go alone.

    For what was left between two steps; answers how many.
    """
    collection, count = Delivery._get_collection(), 0
    left = {"state": "pending", "led_by": {"$exists": True}}
    for leader_id in collection.distinct("led_by", left):
        leader = collection.find_one({"_id": leader_id}, {"state": 1, "ended_at": 1, "expires_at": 1}) or {}
        if leader.get("state") == "pending":
            continue
        fate = {"$set": {name: value for name, value in leader.items() if name != "_id"}}
        alone = {"$unset": {"led_by": 1}, "$set": {"due_at": now()}}
        count += collection.update_many(left | {"led_by": leader_id}, fate if leader else alone).modified_count
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
    """Those of its bundle that nobody has tried yet."""
    return {
        "bundle": delivery.bundle,
        "state": "pending",
        "led_by": {"$exists": False},
        "claimed_until": {"$lte": now()},
        "_id": {"$ne": delivery.id},
        "attempts": 0,
    }
