"""The events of attachments."""

from dataclasses import dataclass
from typing import Any, ClassVar

from taskmanager.features.tasks.events import TaskFact


@dataclass(frozen=True)
class AttachmentFact(TaskFact):
    """Base of the events of attachments of a task."""

    attachment: Any = None

    def data(self) -> dict[str, Any]:
        attachment = {"attachment_id": self.attachment.id, "name": self.attachment.name}
        return {**super().data(), **attachment, "content_ids": [self.attachment.content_id]}


@dataclass(frozen=True)
class AttachmentAdded(AttachmentFact):
    kind: ClassVar[str] = "attachment.added"


@dataclass(frozen=True)
class AttachmentDeleted(AttachmentFact):
    kind: ClassVar[str] = "attachment.deleted"
