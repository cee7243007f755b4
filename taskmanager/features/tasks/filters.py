"""What tasks can be filtered by."""

from taskmanager.core.filters.kinds import Key, Moment, OneOf, People, Person, Ranked, Reference, Whole, Words
from taskmanager.core.filters.nodes import Field
from taskmanager.features.projects.workflow import GROUPS
from taskmanager.features.tasks.models import PRIORITIES

FIELDS = {
    "key": Field("key", Words()),
    "title": Field("title", Words()),
    "description": Field("description", Words()),
    "status": Field("status", Key()),
    "status_group": Field("status_group", OneOf(GROUPS)),
    "priority": Field("priority", Ranked(PRIORITIES)),
    "project": Field("project_id", Reference()),
    "assignee": Field("assignee_ids", People()),
    "reporter": Field("reporter_id", Person()),
    "start_at": Field("start_at", Moment()),
    "due_at": Field("due_at", Moment()),
    "estimate_minutes": Field("estimate_minutes", Whole()),
    "completed_at": Field("completed_at", Moment()),
    "created_at": Field("created_at", Moment()),
    "updated_at": Field("updated_at", Moment()),
}
