"""Contents in MongoDB that nothing refers to: left by a crash, or by an earlier choice of the store.

A folder of files is never looked through: a service that is started on an empty database, on a copy or on an older
dump cannot know which of the files there another database refers to. What an upload leaves in a folder when its process
is killed is known by its LooseContent, and goes after an hour.
"""

from datetime import timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import walks
from taskmanager.features.attachments import service as attachments
from taskmanager.features.attachments.models import Attachment, OrphanedUpload
from taskmanager.features.attachments.storage import GridFsStore, chosen

_YOUNG = timedelta(days=1)


def remove() -> int:
    """Drop contents that nothing refers to since a day, for some seconds. Return how many."""
    store = chosen()
    if not isinstance(store, GridFsStore):
        return 0

    def following(after: list[Any], limit: int) -> list[dict[str, Any]]:
        return [{"_id": content_id} for content_id in store.ids(after[0] if after else None, limit)]

    batches = walks.batches("contents", following, lambda row: [row["_id"]])
    return sum(_drop_lost([row["_id"] for row in rows]) for rows in batches)


def _drop_lost(content_ids: list[ObjectId]) -> int:
    """Drop those that nothing refers to. A content that is attached meanwhile stops being loose in that transaction."""
    old = [content_id for content_id in content_ids if content_id.generation_time < now() - _YOUNG]
    loose = set(OrphanedUpload.objects(id__in=old).scalar("id"))
    attached = set(Attachment.objects(content_id__in=old).scalar("content_id"))
    lost = [content_id for content_id in old if content_id not in loose | attached]
    attachments.drop(lost)
    return len(lost)
