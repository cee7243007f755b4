"""The filter fields of projects."""

from taskmanager.core.filters.kinds import KeyTextKind, OptionalReferenceKind, TextKind
from taskmanager.core.filters.moments import MomentKind
from taskmanager.core.filters.nodes import FilterField, FilterFields

FIELDS = FilterFields(
    {
        "key": FilterField("key", KeyTextKind()),
        "name": FilterField("name", TextKind()),
        "parent": FilterField("parent_id", OptionalReferenceKind("project")),
        "archived_at": FilterField("archived_at", MomentKind()),
        "created_at": FilterField("created_at", MomentKind()),
        "updated_at": FilterField("updated_at", MomentKind()),
    }
)
