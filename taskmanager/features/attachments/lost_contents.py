"""Delete contents in MongoDB that nothing refers to, as after a crash or a change of the configured store.

A folder of files is never searched: a service that was started with an empty database, a copy or an older dump cannot
know which of the files another database refers to. An upload in a folder whose process was killed has an
OrphanedUpload, and is deleted after an hour.
"""

from datetime import timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import walks
from taskmanager.features.attachments import service as attachments
from taskmanager.features.attachments.models import Attachment, OrphanedUpload
from taskmanager.features.attachments.storage import GridFsStore, current_store

_MIN_AGE = timedelta(days=1)


def remove() -> int:
    """Delete contents that are older than _MIN_AGE and have no reference, for some seconds; return their number."""
    store = current_store()
    if not isinstance(store, GridFsStore):
        return 0

    def following(after: list[Any], limit: int) -> list[dict[str, Any]]:
        return [{"_id": content_id} for content_id in store.ids(after[0] if after else None, limit)]

    batches = walks.batches("contents", following, lambda row: [row["_id"]])
    return sum(_delete_lost([row["_id"] for row in rows]) for rows in batches)


def _delete_lost(content_ids: list[ObjectId]) -> int:
    """Delete those contents that have no reference, and return their number.

    The transaction that attaches a content deletes its OrphanedUpload: so uploads are read before attachments.
    """
    old = [content_id for content_id in content_ids if content_id.generation_time < now() - _MIN_AGE]
    orphaned = set(OrphanedUpload.objects(id__in=old).scalar("id"))
    attached = set(Attachment.objects(content_id__in=old).scalar("content_id"))
    lost = [content_id for content_id in old if content_id not in orphaned | attached]
    attachments.delete_contents(lost)
    return len(lost)
