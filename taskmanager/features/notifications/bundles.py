"""Bundles: deliveries to one person that go out as one message. The oldest leads, and the others follow it."""

from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events import Event
from taskmanager.features.notifications import notices
from taskmanager.features.notifications.channels import Cancelled
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.notifications.notices import Notice


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


def told_by(delivery: Delivery, ready: list[Notice] | None) -> list[Notice]:
    """What it tells, with what waits to be told together with it; `ready` is its own notice if that was just written.

    Raises Cancelled when there is nothing to be told any more.
    """
    event_ids = _follow(delivery, alone=ready is not None)
    if ready and not event_ids:
        return ready
    events = sorted(Event.objects(id__in=[delivery.event_id, *event_ids]), key=lambda event: (event.at, event.id))
    found = notices.of_all(events, delivery.recipient_id)
    if not found:
        raise Cancelled("There is nothing to be told any more.")
    return found


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
    return [row["event_id"] for row in collection.find({"led_by": delivery.id}, {"event_id": 1})]


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
