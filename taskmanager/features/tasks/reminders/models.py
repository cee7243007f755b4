"""Reminders."""

from mongoengine import BooleanField, DateTimeField, IntField, ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned

RELATIVE_TO = ("start", "due")


class Reminder(Versioned):
    """That one person wants to be told of a task: at a moment, or some minutes before its start or due."""

    meta = {"collection": "reminders", "db_alias": "tasks"}

    task_id = ObjectIdField(required=True)
    user_id = ObjectIdField(required=True)
    at = DateTimeField()
    relative_to = StringField(choices=RELATIVE_TO)
    minutes_before = IntField()
    fire_at = DateTimeField()  # none: it has fired, or the task has no such time
    carried = BooleanField()  # came along with what follows a recurring task, and was not changed since
    fired_at = DateTimeField()
