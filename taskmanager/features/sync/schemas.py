"""Schemas of sync."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from taskmanager.features.comments.routes import CommentOut
from taskmanager.features.notifications.schemas import NotificationOut, PreferencesOut
from taskmanager.features.projects.labels.schemas import CustomFieldOut, LabelOut
from taskmanager.features.projects.schemas import MemberOut, ProjectOut
from taskmanager.features.sync.objects import TYPES
from taskmanager.features.tasks.recurrence.routes import ReminderOut
from taskmanager.features.tasks.schemas import TaskOut
from taskmanager.features.tasks.workflow.routes import WorkflowOut
from taskmanager.features.views.routes import ViewOut
from taskmanager.web.openapi.variants import Variant
from taskmanager.web.pagination import IntegerParameter
from taskmanager.web.schemas import Id, Schema

MAX_OBJECTS = 500
MAX_WAIT_SECONDS = 30


class TypesParameter(fields.String):
    """`?types=projects,tasks`: the types to sync."""

    def __init__(self) -> None:
        word = "|".join(TYPES)
        self.documented = {"pattern": f"^(?:{word})(?:,(?:{word}))*$"}
        about = (
            f"Sync only these types, separated by commas: {', '.join(TYPES)}. Without it all that the caller may read"
        )
        super().__init__(metadata={"description": about, "example": "projects,tasks"})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        names = list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs).split(",")))
        if unknown := [name for name in names if name not in TYPES]:
            raise ma.ValidationError(f"Unknown type: {unknown[0][:50]!r}.")
        return names


class SyncQuery(Schema):
    """The query of a sync."""

    token = fields.String(
        validate=validate.Length(1, 4000),
        metadata={"description": "`next_token` of the response before; without it a full sync begins"},
    )
    types = TypesParameter()
    limit = IntegerParameter(
        load_default=200,
        validate=validate.Range(1, MAX_OBJECTS),
        metadata={
            "description": "The maximum of objects of a page; a page of more than 4 MB ends early",
            "example": 200,
        },
    )
    wait = IntegerParameter(
        load_default=0,
        validate=validate.Range(0, MAX_WAIT_SECONDS),
        metadata={"description": "Seconds to wait for a change, when there is none", "example": 0},
    )


class SyncedStatuses(WorkflowOut):
    """The statuses of a project."""

    project_id = Id(required=True)


class SyncedPreferences(PreferencesOut):
    """Notification preferences in general, whose `project_id` is null, or those for a project."""

    variants = (Variant("GeneralPreferences", nulls=("project_id",)), Variant("ProjectPreferencesOut"))

    project_id = Id(required=True, allow_none=True)


class SyncedObjects(Schema):
    """The objects by type, as they are now, in the form in which the API shows them; types without any are absent."""

    projects = fields.List(fields.Nested(ProjectOut))
    statuses = fields.List(fields.Nested(SyncedStatuses))
    members = fields.List(fields.Nested(MemberOut))
    labels = fields.List(fields.Nested(LabelOut))
    custom_fields = fields.List(fields.Nested(CustomFieldOut))
    views = fields.List(fields.Nested(ViewOut))
    tasks = fields.List(fields.Nested(TaskOut))
    comments = fields.List(fields.Nested(CommentOut))
    reminders = fields.List(fields.Nested(ReminderOut))
    notifications = fields.List(fields.Nested(NotificationOut))
    preferences = fields.List(fields.Nested(SyncedPreferences))


class Tombstone(Schema):
    """An object that was deleted, or that the caller does not see any more.

    That of a project stands for all that is in it, that of a task for its comments and reminders.
    """

    type = fields.String(required=True, metadata={"enum": list(TYPES), "example": "tasks"})
    id = Id(required=True, metadata={"description": "The id; of members that of the user"})
    project_id = Id(metadata={"description": "The project that it was in, where that is known"})


class Mutation(Schema):
    """An object that the caller has changed, with the `X-Mutation-ID` of the request."""

    mutation_id = fields.String(required=True, metadata={"example": "phone-1-42"})
    type = fields.String(required=True, metadata={"enum": list(TYPES), "example": "tasks"})
    id = Id(required=True)


class SyncOut(Schema):
    """A page of a sync. Apply the tombstones before the objects."""

    objects = fields.Nested(SyncedObjects, required=True)
    tombstones = fields.List(fields.Nested(Tombstone), required=True)
    mutations = fields.List(fields.Nested(Mutation), required=True)
    next_token = fields.String(required=True, metadata={"example": "x"})
    has_more = fields.Boolean(required=True, metadata={"description": "Whether to ask for the next page at once"})


class StreamQuery(Schema):
    """The query of the stream."""

    ticket = fields.String(metadata={"description": "A ticket, in place of an Authorization header", "example": "x"})
    token = fields.String(
        validate=validate.Length(1, 4000), metadata={"description": "`next_token` of a sync: the stream continues it"}
    )
    types = TypesParameter()
    project_id = Id(metadata={"description": "Only what happens in this project; not with `token`"})
    last_event_id = fields.String(metadata={"description": "As the header `Last-Event-ID`", "example": "42"})
    heartbeat = fields.String(
        validate=validate.OneOf(["event"]),
        metadata={"description": "Heartbeats as events, which an EventSource shows to its page", "example": "event"},
    )
    watch = fields.String(
        validate=validate.OneOf(["log"]),
        metadata={
            "description": "Only for administrators, without `token`, `types` and `project_id`: a message `moved` when"
            " something has happened, but not what",
            "example": "log",
        },
    )


class TicketOut(Schema):
    """A ticket for one stream."""

    ticket = fields.String(required=True, metadata={"example": "x"})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds", "example": 30})
    url = fields.String(required=True, metadata={"example": "http://127.0.0.1:8001/api/v1/stream"})
