"""What operators ask of the deliveries: how many wait, for how long, and what is to come."""

from datetime import datetime
from typing import Any

from taskmanager.core.clock import now
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery


def planned() -> tuple[int, datetime | None]:
    """Return how many are to be tried later, such as digests and second attempts, and when the first of them is due."""
    collection, moment = Delivery._get_collection(), now()
    later = {"due_at": {"$gt": moment}, "claimed_until": {"$lte": moment}}
    first = collection.find_one(later, {"due_at": 1}, sort=[("due_at", 1)])
    return collection.count_documents(later, limit=100_000), first and first["due_at"]


def report() -> dict[str, Any]:
    """Return how many are `pending` and `dead`, and how many seconds ago the first of those pending was to be told."""
    collection = Delivery._get_collection()
    late = {"state": "pending", "wanted_at": {"$lte": now()}}
    first = collection.find_one(late, {"wanted_at": 1}, sort=[("wanted_at", 1)])
    dead = collection.count_documents({"state": "dead"}, limit=100_000)
    age = (now() - first["wanted_at"]).total_seconds() if first else 0.0
    return {"pending": deliveries.waiting(), "dead": dead, "oldest_s": round(age, 1)}
