"""Figures about deliveries for operators."""

from datetime import datetime
from typing import TypedDict

from taskmanager.core.clock import now
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery


class DeliveryReport(TypedDict):
    """How many deliveries are `pending` and `dead`, and the age in seconds of the oldest one that was to be sent."""

    pending: int
    dead: int
    oldest_s: float


def planned() -> tuple[int, datetime | None]:
    """Return how many deliveries are due later, such as digests and retries, and when the first one is due."""
    collection, moment = Delivery._get_collection(), now()
    later = {"due_at": {"$gt": moment}, "claimed_until": {"$lte": moment}}
    first = collection.find_one(later, {"due_at": 1}, sort=[("due_at", 1)])
    return collection.count_documents(later, limit=100_000), first and first["due_at"]


def report() -> DeliveryReport:
    """Return the present figures: at most three queries of indexes."""
    collection = Delivery._get_collection()
    late = {"state": "pending", "wanted_at": {"$lte": now()}}
    first = collection.find_one(late, {"wanted_at": 1}, sort=[("wanted_at", 1)])
    dead = collection.count_documents({"state": "dead"}, limit=100_000)
    age = (now() - first["wanted_at"]).total_seconds() if first else 0.0
    return {"pending": deliveries.count_pending(), "dead": dead, "oldest_s": round(age, 1)}
