"""What is done about deliveries from time to time: settle what was left, and mend what cannot be."""

from datetime import timedelta

import structlog

from taskmanager.core.clock import now
from taskmanager.features.notifications.delivery import grouping
from taskmanager.features.notifications.models import Delivery

log = structlog.get_logger("taskmanager.deliveries")

_MAX_WAIT = timedelta(days=9)  # a weekly digest, and quiet hours at its end
_MAX_CLAIM = timedelta(hours=1)


def sweep() -> int:
    """Settle what was left between two steps, and hand out what no job would ever look at again; answers how many."""
    lost = {"state": "pending", "due_at": {"$exists": False}, "led_by": {"$exists": False}}
    found = Delivery._get_collection().update_many(lost, {"$set": {"due_at": now()}}).modified_count
    return found + fix_times() + grouping.finish_followers()


def fix_times() -> int:
    """Have what is due later, or claimed for longer, than anything can be looked at now; answers how many.

    A clock that was wrong has said so.
    """
    collection, moment, mended = Delivery._get_collection(), now(), 0
    for field, longest in (("due_at", _MAX_WAIT), ("claimed_until", _MAX_CLAIM)):
        found = {"state": "pending", field: {"$gt": moment + longest}}
        mended += collection.update_many(found, {"$set": {field: moment, "due_at": moment}}).modified_count
    if mended:
        log.warning("times that cannot be are mended", deliveries=mended)
    return mended
