"""When the last backup was made, for health and metrics."""

from datetime import datetime

from mongoengine import DateTimeField, Document, IntField, StringField

from taskmanager.core.clock import now

_LAST = "last"


class BackupRecord(Document):
    """The last backup that `taskmanager backup` has finished."""

    meta = {"collection": "backups", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)
    at = DateTimeField(required=True)
    bytes = IntField(required=True)


def note(size: int) -> None:
    """Record that a backup of this size was finished now; also for scripts that use MongoDB's own tools."""
    BackupRecord._get_collection().update_one({"_id": _LAST}, {"$set": {"at": now(), "bytes": size}}, upsert=True)


def last_at() -> datetime | None:
    """Return when the last backup was finished; None when there was none."""
    row = BackupRecord._get_collection().find_one({"_id": _LAST}, {"at": 1})
    return row["at"] if row else None
