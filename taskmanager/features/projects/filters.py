"""What projects can be filtered by."""

from taskmanager.core.filters.kinds import KeyText, MaybeReference, Words
from taskmanager.core.filters.moments import Moment
from taskmanager.core.filters.nodes import Field, Fields

FIELDS = Fields(
    {
        "key": Field("key", KeyText()),
        "name": Field("name", Words()),
        "parent": Field("parent_id", MaybeReference("project")),
        "archived_at": Field("archived_at", Moment()),
        "created_at": Field("created_at", Moment()),
        "updated_at": Field("updated_at", Moment()),
    }
)
