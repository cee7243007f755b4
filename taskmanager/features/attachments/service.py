"""Use cases of attachments. A content is stored first and then referred to, and dropped when that does not happen."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, NamedTuple

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.querysets import BaseQuerySet, Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.attachments import storage
from taskmanager.features.attachments.events import AttachmentAdded, AttachmentDeleted
from taskmanager.features.attachments.models import Attachment, OrphanedUpload
from taskmanager.features.attachments.permissions import AttachmentAction
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users

MAX_ATTACHMENTS = 100  # of one task
_ORPHANED_AFTER = timedelta(hours=1)
_BATCH = 100


class Upload(NamedTuple):
    """A file as it came, and what was stored of it."""

    name: str
    content_type: str
    content_id: ObjectId
    size: int
    sha256: str


def visible(task_id: ObjectId, actor: Actor) -> BaseQuerySet:
    """Return the attachments of a task. Raises NotFound unless the actor may see the task."""
    Task.objects.visible_to(actor).check_exists(task_id)
    return Attachment.objects(task_id=task_id)


def get(task_id: ObjectId, attachment_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one attachment, without its content. Raises NotFound."""
    return visible(task_id, actor).row(attachment_id, fields)


def upload(task_id: ObjectId, name: str, content_type: str, file: BinaryIO, *, actor: Actor) -> Upload:
    """Store a content for a task that the actor may attach files to.

    Raises NotFound, Forbidden, Invalid (`attachment.type_refused`), TooLarge, Conflict, Unavailable.
    """
    authorize(actor, AttachmentAction.ADD, Task.objects.visible_to(actor).one(task_id))
    patterns = [pattern.strip() for pattern in settings.current().attachment_types.split(",")]
    if not any(fnmatchcase(content_type, pattern) for pattern in patterns):
        raise Invalid("body.file", f"Files of this type are not taken: {content_type}", code="attachment.type_refused")
    loose = OrphanedUpload(id=ObjectId()).save(force_insert=True)
    try:
        stored = storage.store(loose.id, file)
    except BaseException:
        discard(loose.id)
        raise
    return Upload(name, content_type, loose.id, *stored)


@unit_of_work
def add(task_id: ObjectId, upload: Upload, *, actor: Actor) -> Attachment:
    """Attach a stored content to a task. Raises NotFound, Forbidden, Conflict (`attachment.too_many`, `quota.…`)."""
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, AttachmentAction.ADD, task)
    if Attachment.objects(task_id=task.id).count() >= MAX_ATTACHMENTS:
        raise Conflict(f"A task has at most {MAX_ATTACHMENTS} attachments.", code="attachment.too_many")
    users.add_attachment_bytes(actor.user_id, upload.size)
    projects.add_use(task.project_id, attachment_bytes=upload.size)
    attachment = Attachment(task_id=task.id, uploader_id=actor.user_id, **upload._asdict())
    attachment.save(force_insert=True)
    OrphanedUpload.objects(id=upload.content_id).delete()
    record(AttachmentAdded(task, actor, attachment=attachment))
    return attachment


@unit_of_work
def delete(task_id: ObjectId, attachment_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete an attachment: one's own, or as a manager any; a job drops its content.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    task = Task.objects.visible_to(actor).one(task_id)
    attachment = Attachment.objects(task_id=task_id).one(attachment_id)
    own = attachment.uploader_id == actor.user_id
    authorize(actor, AttachmentAction.ADD if own else AttachmentAction.DELETE_ANY, task)
    attachment.check_revision(if_match)
    attachment.delete()
    users.add_attachment_bytes(attachment.uploader_id, -attachment.size)
    projects.add_use(task.project_id, attachment_bytes=-attachment.size)
    record(AttachmentDeleted(task, actor, attachment=attachment))


def purge(task_ids: list[ObjectId]) -> int:
    """Drop some attachments of tasks that are going for good, the contents first; return how many. Safe to repeat."""
    return _purge_some(Attachment.objects(task_id__in=task_ids))


def _purge_some(found: Any) -> int:
    some = list(found.limit(_BATCH))
    drop([attachment.content_id for attachment in some])
    _delete_rows([attachment.id for attachment in some])
    return len(some)


@unit_of_work
def _delete_rows(ids: list[ObjectId]) -> None:
    """Delete attachments that are still there, and give their bytes back to those who uploaded them."""
    sizes: Counter[ObjectId] = Counter()
    for attachment in Attachment.objects(id__in=ids):
        sizes[attachment.uploader_id] += attachment.size
    Attachment.objects(id__in=ids).delete()
    for user_id, size in sorted(sizes.items()):
        users.add_attachment_bytes(user_id, -size)


def bytes_of(task_ids: Collection[ObjectId]) -> int:
    """Return how many bytes the attachments of some tasks have together."""
    return sum(Attachment.objects(task_id__in=list(task_ids)).scalar("size"))


def delete_of_task(task_id: ObjectId) -> list[ObjectId]:
    """Drop the attachments of a task that is gone for good; answers the ids of their contents, which are to go too."""
    ids = []
    for attachment in Attachment.objects(task_id=task_id):
        ids.append(attachment.content_id)
        users.add_attachment_bytes(attachment.uploader_id, -attachment.size)
    Attachment.objects(task_id=task_id).delete()
    return ids


def delete_unreferenced(attachment_ids: list[ObjectId]) -> int:
    """Drop attachments whose task is gone, the contents first. Return how many. Safe to repeat."""
    while _purge_some(Attachment.objects(id__in=attachment_ids)):
        pass
    return len(attachment_ids)


def discard(content_id: ObjectId) -> None:
    """Drop a content that nothing refers to."""
    drop([content_id])
    OrphanedUpload.objects(id=content_id).delete()


def drop(content_ids: Iterable[ObjectId]) -> None:
    """Drop contents. Safe to repeat."""
    store = storage.chosen()
    for content_id in content_ids:
        store.delete(content_id)


def delete_orphaned_uploads() -> int:
    """Drop contents that were stored an hour ago and that no attachment came to; answers how many."""
    loose = list(OrphanedUpload.objects(created_at__lt=now() - _ORPHANED_AFTER).limit(_BATCH))
    for content in loose:
        discard(content.id)
    return len(loose)


def attached_or_discarded(upload: Upload, attach: Callable[[], Any]) -> Any:
    """Return what `attach` answers; when it fails, or did not use the content, that is dropped."""
    try:
        return attach()
    finally:
        if OrphanedUpload.objects(id=upload.content_id).first() is not None:
            discard(upload.content_id)
