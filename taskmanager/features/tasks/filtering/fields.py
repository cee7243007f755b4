"""The fields by which tasks can be filtered."""

from taskmanager.core.filters.kinds import (
    IntegerKind,
    KeyKind,
    KeyTextKind,
    LabelKind,
    OneOfKind,
    OptionalReferenceKind,
    PeopleKind,
    PersonKind,
    RankedKind,
    ReferenceKind,
    TextKind,
    UntypedKind,
)
from taskmanager.core.filters.moments import MomentKind
from taskmanager.core.filters.nodes import FilterField, FilterFields
from taskmanager.core.registry import Part
from taskmanager.features.projects.models import name_key
from taskmanager.features.projects.workflow import GROUPS
from taskmanager.features.tasks.models import PRIORITIES

CUSTOM_FIELDS = "custom_fields"
OWN_FIELDS = {
    "key": FilterField("key", KeyTextKind()),
    "title": FilterField("title", TextKind()),
    "description": FilterField("description", TextKind()),
    "status": FilterField("status", KeyKind("status")),
    "status_group": FilterField("status_group", OneOfKind(GROUPS)),
    "priority": FilterField("priority", RankedKind(PRIORITIES)),
    "project": FilterField("project_id", ReferenceKind("project")),
    "parent": FilterField("parent_id", OptionalReferenceKind("task")),
    "label": FilterField("marks", LabelKind("l", name_key)),
    "assignee": FilterField("marks", PeopleKind("a")),
    "watcher": FilterField("marks", PeopleKind("w", flagged=False)),
    "reporter": FilterField("reporter_id", PersonKind()),
    "start_at": FilterField("start_at", MomentKind()),
    "due_at": FilterField("due_at", MomentKind()),
    "estimate_minutes": FilterField("estimate_minutes", IntegerKind()),
    "completed_at": FilterField("completed_at", MomentKind()),
    "created_at": FilterField("created_at", MomentKind()),
    "updated_at": FilterField("updated_at", MomentKind()),
}
FIELDS = FilterFields(Part("filter_fields"), families={CUSTOM_FIELDS: UntypedKind()})
