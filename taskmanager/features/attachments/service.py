"""Use cases of attachments. A content is stored first and attached then; it is deleted when that fails."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import IO, NamedTuple, TypeVar

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
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

Result = TypeVar("Result")


class Upload(NamedTuple):
    """An uploaded file, with the id, size (bytes) and checksum of its stored content."""

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


def upload(task_id: ObjectId, name: str, content_type: str, file: IO[bytes], *, actor: Actor) -> Upload:
    """Store the content of a file, to attach it to a task.

    Raises NotFound, Forbidden, Invalid (`attachment.type_refused`), TooLarge, Conflict, Unavailable.
    """
    authorize(actor, AttachmentAction.ADD, Task.objects.visible_to(actor).one(task_id))
    patterns = [pattern.strip() for pattern in settings.current().attachment_types.split(",")]
    if not any(fnmatchcase(content_type, pattern) for pattern in patterns):
        detail = f"Files of this type are not allowed: {content_type}"
        raise Invalid("body.file", detail, code="attachment.type_refused")
    orphaned = OrphanedUpload(id=ObjectId()).save(force_insert=True)
    try:
        stored = storage.store(orphaned.id, file)
    except BaseException:
        discard(orphaned.id)
        raise
    return Upload(name, content_type, orphaned.id, *stored)


@unit_of_work
def add(task_id: ObjectId, upload: Upload, *, actor: Actor) -> Attachment:
    """Attach a stored content to a task. Raises NotFound, Forbidden, Conflict (`attachment.too_many`, `quota.…`)."""
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, AttachmentAction.ADD, task)
    if Attachment.objects(task_id=task.id).count() >= MAX_ATTACHMENTS:
        raise Conflict(f"A task has at most {MAX_ATTACHMENTS} attachments.", code="attachment.too_many")
    users.add_attachment_bytes(actor.user_id, upload.size)
    projects.add_usage(task.project_id, attachment_bytes=upload.size)
    attachment = Attachment(task_id=task.id, uploader_id=actor.user_id, **upload._asdict())
    attachment.save(force_insert=True)
    OrphanedUpload.objects(id=upload.content_id).delete()
    record(AttachmentAdded(task, actor, attachment=attachment))
    return attachment


@unit_of_work
def delete(task_id: ObjectId, attachment_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete an attachment: an own one, or as a manager any; a job deletes its content.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    task = Task.objects.visible_to(actor).one(task_id)
    attachment = Attachment.objects(task_id=task_id).one(attachment_id)
    own = attachment.uploader_id == actor.user_id
    authorize(actor, AttachmentAction.ADD if own else AttachmentAction.DELETE_ANY, task)
    attachment.check_revision(if_match)
    attachment.delete()
    users.add_attachment_bytes(attachment.uploader_id, -attachment.size)
    projects.add_usage(task.project_id, attachment_bytes=-attachment.size)
    record(AttachmentDeleted(task, actor, attachment=attachment))


def purge(task_ids: list[ObjectId]) -> int:
    """Delete some attachments of tasks that are purged, the contents first; return their number. Safe to repeat."""
    return _purge_some(Attachment.objects(task_id__in=task_ids))


def _purge_some(attachments: BaseQuerySet) -> int:
    batch = list(attachments.limit(_BATCH))
    delete_contents([attachment.content_id for attachment in batch])
    _delete_rows([attachment.id for attachment in batch])
    return len(batch)


@unit_of_work
def _delete_rows(ids: list[ObjectId]) -> None:
    """Delete the attachments that still exist, and subtract their sizes from the quotas of the uploaders."""
    sizes: Counter[ObjectId] = Counter()
    for attachment in Attachment.objects(id__in=ids):
        sizes[attachment.uploader_id] += attachment.size
    Attachment.objects(id__in=ids).delete()
    for user_id, size in sorted(sizes.items()):
        users.add_attachment_bytes(user_id, -size)


def bytes_of(task_ids: Collection[ObjectId]) -> int:
    """Return the total size of the attachments of the given tasks, in bytes."""
    return sum(Attachment.objects(task_id__in=list(task_ids)).scalar("size"))


def delete_of_task(task_id: ObjectId) -> list[ObjectId]:
    """Delete the attachments of a purged task; return the ids of their contents, which the caller has to delete."""
    ids = []
    for attachment in Attachment.objects(task_id=task_id):
        ids.append(attachment.content_id)
        users.add_attachment_bytes(attachment.uploader_id, -attachment.size)
    Attachment.objects(task_id=task_id).delete()
    return ids


def delete_unreferenced(attachment_ids: list[ObjectId]) -> int:
    """Delete attachments whose task does not exist, the contents first; return their number. Safe to repeat."""
    while _purge_some(Attachment.objects(id__in=attachment_ids)):
        pass
    return len(attachment_ids)


def discard(content_id: ObjectId) -> None:
    """Delete a content that is not attached, and its OrphanedUpload."""
    delete_contents([content_id])
    OrphanedUpload.objects(id=content_id).delete()


def delete_contents(content_ids: Iterable[ObjectId]) -> None:
    """Delete contents from the store. Safe to repeat."""
    store = storage.current_store()
    for content_id in content_ids:
        store.delete(content_id)


def delete_orphaned_uploads() -> int:
    """Delete contents that were not attached within an hour of their upload; return their number."""
    orphaned = list(OrphanedUpload.objects(created_at__lt=now() - _ORPHANED_AFTER).limit(_BATCH))
    for content in orphaned:
        discard(content.id)
    return len(orphaned)


def attached_or_discarded(upload: Upload, attach: Callable[[], Result]) -> Result:
    """Return the result of `attach`; delete the content when `attach` fails or does not attach it."""
    try:
        return attach()
    finally:
        if OrphanedUpload.objects(id=upload.content_id).first() is not None:
            discard(upload.content_id)
