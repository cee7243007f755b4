"""Attachments, and uploads that are not attached yet."""

from mongoengine import DateTimeField, Document, IntField, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.storage.documents import Versioned


class Attachment(Versioned):
    """A file of a task. Its content is in the configured store, under `content_id`."""

    meta = {"collection": "attachments", "db_alias": "tasks"}
    shard_field = "task_id"

    task_id = ObjectIdField(required=True)
    uploader_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=255)
    content_type = StringField(required=True, max_length=127)
    size = IntField(required=True)
    sha256 = StringField(required=True)
    content_id = ObjectIdField(required=True)


class OrphanedUpload(Document):
    """A content that is being stored, or that was not attached; inserted before the first byte is stored."""

    meta = {"collection": "loose_contents", "db_alias": "tasks", "strict": False, "auto_create_index": False}

    id = ObjectIdField(primary_key=True)
    created_at = DateTimeField(required=True, default=now)
