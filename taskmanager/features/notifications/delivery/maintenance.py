"""Periodic maintenance of deliveries: finish what a worker left, and fix impossible times."""

from datetime import timedelta

import structlog

from taskmanager.core.clock import now
from taskmanager.features.notifications.delivery import grouping
from taskmanager.features.notifications.models import Delivery

log = structlog.get_logger("taskmanager.deliveries")

_MAX_WAIT = timedelta(days=9)  # a weekly digest, followed by quiet hours
_MAX_CLAIM = timedelta(hours=1)


def sweep() -> int:
    """Repair deliveries that were left between two steps, and times that no job would reach. Return how many."""
    lost = {"state": "pending", "due_at": {"$exists": False}, "led_by": {"$exists": False}}
    found = Delivery._get_collection().update_many(lost, {"$set": {"due_at": now()}}).modified_count
    return found + fix_times() + grouping.finish_followers()


def fix_times() -> int:
    """Make deliveries due now whose `due_at` or claim is later than it can be. Return how many.

    Such times come from a wrong clock.
    """
    collection, moment, fixed = Delivery._get_collection(), now(), 0
    for field, maximum in (("due_at", _MAX_WAIT), ("claimed_until", _MAX_CLAIM)):
        found = {"state": "pending", field: {"$gt": moment + maximum}}
        fixed += collection.update_many(found, {"$set": {field: moment, "due_at": moment}}).modified_count
    if fixed:
        log.warning("impossible times fixed", deliveries=fixed)
    return fixed
