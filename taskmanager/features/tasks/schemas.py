"""The schemas of tasks in requests and responses."""

from marshmallow import fields, validate

from taskmanager.features.projects.workflow import GROUPS
from taskmanager.features.tasks.due import FORM
from taskmanager.features.tasks.models import MAX_RULE_CHARACTERS, MAX_TITLE_CHARACTERS, PRIORITIES, RECURS_FROM
from taskmanager.web.schemas import (
    KEY,
    Color,
    Form,
    Id,
    Instant,
    Json,
    Line,
    QueryFlag,
    RankedChoice,
    Schema,
    Text,
    TimeZone,
    UniqueIds,
    WholeNumber,
)
from taskmanager.web.serialisers import Serialiser

_TITLE = {"example": "Write the release notes"}
_DESCRIPTION = {"description": "Markdown", "example": "Name every change that *users* see."}
_STATUS = {"description": "The key of a status of the project's workflow", "example": "in_progress"}
_DUE = {
    "description": "A whole day or a local time in the zone of the project, or an instant with a zone",
    "example": "2026-12-01",
}
_DUE_ZONE = {
    "description": "The time zone of a series; for a due with a zone the default is the zone of your account",
    "example": "Europe/Berlin",
}
_RECURRENCE = {"description": "A recurrence rule (RRULE of RFC 5545)", "example": "FREQ=MONTHLY;BYMONTHDAY=1"}
_RECURS_FROM = {"description": "What the next due is computed from", "example": "due"}
_MINUTES = {"example": 90}
VALUES = {"additionalProperties": {"$ref": "#/components/schemas/CustomFieldValue"}, "example": {"severity": "high"}}


class TaskChanges(Schema):
    """The fields of a task that clients can set."""

    description = Text(most=50_000, allow_none=True, metadata=_DESCRIPTION)
    status = Form(KEY, "Not the key of a status.", metadata=_STATUS)
    priority = RankedChoice(PRIORITIES, metadata={"example": "high"})
    label_ids = UniqueIds(most=50, metadata={"description": "Labels of the project"})
    custom_fields = Json(
        VALUES,
        allow_none=True,
        metadata={"description": "By the keys of the project's custom fields; null clears one"},
    )
    assignee_ids = UniqueIds(most=50, metadata={"description": "Members of the project; each new one is notified"})
    parent_id = Id(allow_none=True, metadata={"description": "The parent task, in the same project"})
    start_at = Instant(allow_none=True)
    due = Form(FORM, "Not a date, a local time or a time with a zone.", allow_none=True, metadata=_DUE)
    due_timezone = TimeZone(allow_none=True, metadata=_DUE_ZONE)
    recurrence = Line(most=MAX_RULE_CHARACTERS, allow_none=True, metadata=_RECURRENCE)
    recurs_from = fields.String(validate=validate.OneOf(RECURS_FROM), metadata=_RECURS_FROM)
    estimate_minutes = WholeNumber(allow_none=True, validate=validate.Range(0, 1_000_000), metadata=_MINUTES)


class TaskIn(TaskChanges):
    """A new task."""

    documented = {"example": {"title": "Write the release notes", "due": "2026-12-01", "priority": "high"}}

    title = Line(most=MAX_TITLE_CHARACTERS, required=True, metadata=_TITLE)


class TaskPatch(TaskChanges):
    """Changes of a task."""

    documented = {"example": {"description": "Name every change that *users* see.", "status": "in_progress"}}

    title = Line(most=MAX_TITLE_CHARACTERS, metadata=_TITLE)


class CompletionQuery(Schema):
    """How to complete a task."""

    force = QueryFlag(
        load_default=False,
        metadata={"description": "Complete the task although others block it; for owners"},
    )


class TaskOut(Schema):
    """A task."""

    id = Id(attribute="_id", required=True)
    key = fields.String(required=True, metadata={"example": "APP-12"})
    project_id = Id(required=True)
    title = Line(most=MAX_TITLE_CHARACTERS, required=True, metadata=_TITLE)
    description = Text(most=50_000, required=True, allow_none=True, metadata=_DESCRIPTION)
    status = fields.String(required=True, metadata=_STATUS)
    status_group = fields.String(required=True, metadata={"enum": list(GROUPS)})
    priority = RankedChoice(PRIORITIES, required=True)
    label_ids = UniqueIds(most=50, required=True)
    assignee_ids = UniqueIds(most=50, required=True)
    watcher_ids = UniqueIds(most=500, required=True)
    reporter_id = Id(required=True)
    parent_id = Id(required=True, allow_none=True, metadata={"description": "The parent task"})
    progress = Json({"$ref": "#/components/schemas/TaskProgress"}, required=True)
    start_at = Instant(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True, metadata=_DUE)
    due_at = Instant(required=True, allow_none=True, metadata={"description": "The moment by which `due` is sorted"})
    estimate_minutes = fields.Integer(required=True, allow_none=True, metadata=_MINUTES)
    due_timezone = fields.String(required=True, allow_none=True, metadata=_DUE_ZONE)
    recurrence = fields.String(required=True, allow_none=True, metadata=_RECURRENCE)
    recurs_from = fields.String(required=True, allow_none=True, metadata=_RECURS_FROM)
    series_id = Id(required=True, allow_none=True, metadata={"description": "The first task of its series"})
    next_task_id = Id(
        required=True,
        allow_none=True,
        metadata={"description": "The next task of the series, created when this one was completed"},
    )
    position = fields.String(required=True, metadata={"description": "The key of the order by hand", "example": "a1"})
    custom_fields = Json(VALUES, required=True)
    started_at = Instant(required=True, allow_none=True, metadata={"description": "When it first became active"})
    completed_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    deleted_at = Instant(required=True, allow_none=True, metadata={"description": "When it was put into the trash"})


class PersonCard(Schema):
    """A user, as members see each other."""

    id = Id(required=True)
    name = fields.String(required=True, metadata={"example": "Grace Hopper"})
    email = fields.String(required=True, allow_none=True, metadata={"example": "grace@example.com"})


class LabelCard(Schema):
    """A label, in short."""

    id = Id(required=True)
    name = fields.String(required=True, metadata={"example": "bug"})
    color = Color(required=True, allow_none=True)


class ProjectCard(Schema):
    """A project, in short."""

    id = Id(required=True)
    key = fields.String(required=True, metadata={"example": "APP"})
    name = fields.String(required=True, metadata={"example": "Our application"})
    color = Color(required=True, allow_none=True)


class TaskCard(Schema):
    """A task, in short."""

    id = Id(required=True)
    key = fields.String(required=True, metadata={"example": "APP-12"})
    title = fields.String(required=True, metadata=_TITLE)
    status = fields.String(required=True, metadata=_STATUS)


class TaskRead(TaskOut):
    """A task, with the objects that `expand` names."""

    assignees = fields.List(fields.Nested(PersonCard))
    watchers = fields.List(fields.Nested(PersonCard))
    reporter = fields.Nested(PersonCard, allow_none=True)
    labels = fields.List(fields.Nested(LabelCard))
    project = fields.Nested(ProjectCard, allow_none=True)
    parent = fields.Nested(TaskCard, allow_none=True)


TASK = Serialiser(TaskOut, long=("description",))
LISTED_TASK = TASK.list_item()  # for responses with many tasks
