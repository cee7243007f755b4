"""What tasks can be filtered by."""

from taskmanager.core.filters.kinds import (
    Key,
    KeyText,
    Label,
    MaybeReference,
    OneOf,
    People,
    Person,
    Ranked,
    Reference,
    Unread,
    Whole,
    Words,
)
from taskmanager.core.filters.moments import Moment
from taskmanager.core.filters.nodes import Field, Fields
from taskmanager.core.registry import Part
from taskmanager.features.projects.models import name_key
from taskmanager.features.projects.workflow import GROUPS
from taskmanager.features.tasks.models import PRIORITIES

CUSTOM_FIELDS = "custom_fields"
OWN_FIELDS = {
    "key": Field("key", KeyText()),
    "title": Field("title", Words()),
    "description": Field("description", Words()),
    "status": Field("status", Key("status")),
    "status_group": Field("status_group", OneOf(GROUPS)),
    "priority": Field("priority", Ranked(PRIORITIES)),
    "project": Field("project_id", Reference("project")),
    "parent": Field("parent_id", MaybeReference("task")),
    "label": Field("marks", Label("l", name_key)),
    "assignee": Field("marks", People("a")),
    "watcher": Field("marks", People("w", flagged=False)),
    "reporter": Field("reporter_id", Person()),
    "start_at": Field("start_at", Moment()),
    "due_at": Field("due_at", Moment()),
    "estimate_minutes": Field("estimate_minutes", Whole()),
    "completed_at": Field("completed_at", Moment()),
    "created_at": Field("created_at", Moment()),
    "updated_at": Field("updated_at", Moment()),
}
FIELDS = Fields(Part("filter_fields"), families={CUSTOM_FIELDS: Unread()})
