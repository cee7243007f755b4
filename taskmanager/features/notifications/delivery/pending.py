"""Bulk changes of pending deliveries: reschedule, postpone, cancel."""

from datetime import datetime

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import chunked_updates
from taskmanager.core.storage.orders import Filter
from taskmanager.features.notifications.delivery import grouping
from taskmanager.features.notifications.models import DIGEST, Delivery

_DUE_PER_SECOND, _MAX_COUNTED = 20, 20_000


def reschedule(recipient_id: ObjectId, *, digest: datetime, others: datetime) -> None:
    """Reschedule a user's deliveries that were not tried yet: those of the digest, and others that are due later."""
    untried = {"recipient_id": recipient_id, "state": "pending", "attempts": 0, "led_by": {"$exists": False}}
    in_digest = {"bundle": {"$regex": f":{DIGEST}$"}}
    _set_due(untried | in_digest | {"due_at": {"$exists": True, "$ne": digest}}, digest)
    _set_due(untried | {"bundle": {"$exists": True}, "$nor": [in_digest], "due_at": {"$gt": others}}, others)


def _set_due(query: Filter, due: datetime) -> None:
    chunked_updates.update_all(Delivery._get_collection(), query, {"$set": {"due_at": due, "wanted_at": due}})


def postpone_all(recipient_id: ObjectId, until: datetime, *, but: str) -> None:
    """Postpone the deliveries of a recipient until then, `but` those of one kind; many are spread over some time."""
    collection = Delivery._get_collection()
    waiting = {"recipient_id": recipient_id, "due_at": {"$exists": True}, "kind": {"$ne": but}}
    seconds = collection.count_documents(waiting, limit=_MAX_COUNTED) / _DUE_PER_SECOND
    later = {"$add": [until, {"$toLong": {"$multiply": [{"$rand": {}}, seconds * 1000]}}]}
    chunked_updates.update_all(
        collection, waiting | {"due_at": {"$exists": True, "$lt": until}}, [{"$set": {"due_at": later}}]
    )


def cancel(recipient_id: ObjectId, project_id: ObjectId) -> None:
    """Cancel a recipient's deliveries of a project that were not tried yet; those in flight cancel themselves."""
    untried = {"recipient_id": recipient_id, "project_id": project_id, "state": "pending", "attempts": 0}
    untried |= {"led_by": {"$exists": False}, "claimed_until": {"$lte": now()}}
    update = {"$set": grouping.final_fields("cancelled", "The user is not a member any more."), "$unset": {"due_at": 1}}
    chunked_updates.update_all(Delivery._get_collection(), untried, update)
