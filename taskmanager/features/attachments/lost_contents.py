"""Contents that are in the store, and that nothing refers to: left by a crash, or by an earlier choice of the store.

A folder is looked through only by the database that it belongs to: a service that is started on an empty database, or
on a copy, and on the folder of another must not find that all files there are lost.
"""

import secrets
from datetime import timedelta
from typing import Any

import structlog
from bson import ObjectId
from pymongo import ReturnDocument

from taskmanager.core.clock import now
from taskmanager.core.storage import walks
from taskmanager.features.attachments import service as attachments, storage as contents
from taskmanager.features.attachments.models import Attachment, LooseContent

log = structlog.get_logger("taskmanager.contents")

_YOUNG = timedelta(days=1)
_OWNER = "contents.owner"


def remove() -> int:
    """Drop contents that nothing refers to since a day, for some seconds; answers how many."""
    store = contents.chosen()
    if not store.belongs_to(_our_name()):
        log.warning("the folder of attachments belongs to another database, and is not looked through")
        return 0

    def following(after: list[Any], limit: int) -> list[dict[str, Any]]:
        return [{"_id": content_id} for content_id in store.ids(after[0] if after else None, limit)]

    batches = walks.batches("contents", following, lambda row: [row["_id"]])
    return sum(_drop_lost([row["_id"] for row in rows]) for rows in batches)


def _drop_lost(content_ids: list[ObjectId]) -> int:
    old = [content_id for content_id in content_ids if content_id.generation_time < now() - _YOUNG]
    known = {
        *Attachment.objects(content_id__in=old).scalar("content_id"),
        *LooseContent.objects(id__in=old).scalar("id"),
    }
    lost = [content_id for content_id in old if content_id not in known]
    attachments.drop(lost)
    return len(lost)


def _our_name() -> str:
    """Return what this database is called in folders of contents; made once."""
    made = {"$setOnInsert": {"after": [secrets.token_hex(16)]}}
    places = walks.Place._get_collection()
    row = places.find_one_and_update({"_id": _OWNER}, made, upsert=True, return_document=ReturnDocument.AFTER)
    return str(row["after"][0])
