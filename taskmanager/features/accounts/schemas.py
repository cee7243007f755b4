"""Schemas of the export of an account."""

from marshmallow import fields

from taskmanager.features.audit.schemas import EntryOut
from taskmanager.features.comments.routes import CommentOut
from taskmanager.features.notifications.phones.routes import PhoneOut
from taskmanager.features.notifications.schemas import NotificationOut, PreferencesOut, ProjectPreferencesOut
from taskmanager.features.projects.permissions import ROLES
from taskmanager.features.tasks.recurrence.routes import ReminderOut
from taskmanager.features.tasks.schemas import TaskOut
from taskmanager.features.users.schemas import SessionOut, UserOut
from taskmanager.features.users.tokens.schemas import ApiTokenOut
from taskmanager.features.views.routes import ViewOut
from taskmanager.features.webhooks.schemas import WebhookOut
from taskmanager.web.schemas import Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser


class BelongingOut(Schema):
    """A project that the user is a member of."""

    project_id = Id(required=True)
    project_name = Line(most=200, required=True, metadata={"example": "Our application"})
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    created_at = Instant(required=True)


class ExportOut(Schema):
    """All data that the service holds of a user."""

    account = fields.Nested(UserOut, required=True)
    sessions = fields.List(fields.Nested(SessionOut), required=True)
    tokens = fields.List(fields.Nested(ApiTokenOut), required=True)
    memberships = fields.List(fields.Nested(BelongingOut), required=True)
    tasks = fields.List(fields.Nested(TaskOut), required=True)
    comments = fields.List(fields.Nested(CommentOut), required=True)
    reminders = fields.List(fields.Nested(ReminderOut), required=True)
    views = fields.List(fields.Nested(ViewOut), required=True)
    notifications = fields.List(fields.Nested(NotificationOut), required=True)
    preferences = fields.List(fields.Nested(PreferencesOut), required=True)
    project_preferences = fields.List(fields.Nested(ProjectPreferencesOut), required=True)
    phones = fields.List(fields.Nested(PhoneOut), required=True)
    webhooks = fields.List(fields.Nested(WebhookOut), required=True)
    events = fields.List(fields.Nested(EntryOut), required=True)


BELONGING = Serialiser(BelongingOut)
