"""Tasks."""

from typing import Any

from mongoengine import DateTimeField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.documents import Versioned
from taskmanager.features.tasks.due import due_at
from taskmanager.features.tasks.querysets import TaskWords

STATUSES = ("open", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")  # stored as the position, so that it sorts


class Task(Versioned):
    """Something to be done in a project."""

    meta = {"collection": "tasks", "db_alias": "tasks", "queryset_class": TaskWords}

    project_id = ObjectIdField(required=True)
    key = StringField(required=True)
    title = StringField(required=True, max_length=500)
    description = StringField(max_length=50_000)
    status = StringField(required=True, default="open", choices=STATUSES)
    priority = IntField(required=True, default=0)
    assignee_ids = ListField(ObjectIdField())
    reporter_id = ObjectIdField(required=True)
    start_at = DateTimeField()
    due = StringField()
    due_at = DateTimeField()
    estimate_minutes = IntField()
    completed_at = DateTimeField()
    deleted_at = DateTimeField()

    def consequences(self, changes: dict[str, Any]) -> dict[str, Any]:
        """`changes` with what follows from them within this task."""
        follows: dict[str, Any] = {}
        if "due" in changes:
            follows["due_at"] = changes["due"] and due_at(changes["due"])
        if "status" in changes and (changes["status"] == "done") != (self.status == "done"):
            follows["completed_at"] = now() if changes["status"] == "done" else None
        return {**changes, **follows}
