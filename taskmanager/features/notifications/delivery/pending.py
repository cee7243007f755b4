"""Deliveries that wait: due at other times, or cancelled, many at a time."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import chunked_updates
from taskmanager.features.notifications.delivery import grouping
from taskmanager.features.notifications.models import DIGEST, Delivery

_COMING_A_SECOND, _MAX_COUNTED = 20, 20_000


def reschedule(recipient_id: ObjectId, *, digest: datetime, others: datetime) -> None:
    """Let what waits for a person, and was not tried yet, be due then: the digest, and what else waits for longer."""
    waits = {"recipient_id": recipient_id, "state": "pending", "attempts": 0, "led_by": {"$exists": False}}
    collected = {"bundle": {"$regex": f":{DIGEST}$"}}
    _due_again(waits | collected | {"due_at": {"$exists": True, "$ne": digest}}, digest)
    _due_again(waits | {"bundle": {"$exists": True}, "$nor": [collected], "due_at": {"$gt": others}}, others)


def _due_again(found: dict[str, Any], due: datetime) -> None:
    chunked_updates.update_all(Delivery._get_collection(), found, {"$set": {"due_at": due, "wanted_at": due}})


def put_off(recipient_id: ObjectId, until: datetime, *, but: str) -> None:
    """Let nothing that waits for a recipient be due before then, `but` one kind; much of it comes little by little."""
    collection = Delivery._get_collection()
    waits = {"recipient_id": recipient_id, "due_at": {"$exists": True}, "kind": {"$ne": but}}
    seconds = collection.count_documents(waits, limit=_MAX_COUNTED) / _COMING_A_SECOND
    later = {"$add": [until, {"$toLong": {"$multiply": [{"$rand": {}}, seconds * 1000]}}]}
    chunked_updates.update_all(
        collection, waits | {"due_at": {"$exists": True, "$lt": until}}, [{"$set": {"due_at": later}}]
    )


def cancel(recipient_id: ObjectId, project_id: ObjectId) -> None:
    """Settle what waits for a recipient of a project, and was not tried yet. What is under way cancels itself."""
    waits = {"recipient_id": recipient_id, "project_id": project_id, "state": "pending", "attempts": 0}
    waits |= {"led_by": {"$exists": False}, "claimed_until": {"$lte": now()}}
    fate = {"$set": grouping.fate("cancelled", "Not a member any more."), "$unset": {"due_at": 1}}
    chunked_updates.update_all(Delivery._get_collection(), waits, fate)
