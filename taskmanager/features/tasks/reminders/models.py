"""Reminders."""

from mongoengine import BooleanField, DateTimeField, IntField, ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned

RELATIVE_TO = ("start", "due")


class Reminder(Versioned):
    """A reminder of one user for a task: at a moment, or some minutes before its start or due."""

    meta = {"collection": "reminders", "db_alias": "tasks"}
    shard_field = "task_id"

    task_id = ObjectIdField(required=True)
    user_id = ObjectIdField(required=True)
    at = DateTimeField()
    relative_to = StringField(choices=RELATIVE_TO)
    minutes_before = IntField()
    fire_at = DateTimeField()  # unset: it has fired, its time was past, or the task has no such time
    carried = BooleanField()  # moved to the next task of a series, and not changed since
    fired_at = DateTimeField()
