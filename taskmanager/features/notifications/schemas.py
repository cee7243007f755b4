"""Schemas of notifications and notification preferences."""

from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import fields, validate

from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.kinds import KINDS
from taskmanager.features.notifications.models import DIGESTS, LEVELS, WEEKDAYS
from taskmanager.web.contributed import ContributedName
from taskmanager.web.schemas import Flag, Form, Id, Instant, Json, Schema
from taskmanager.web.serialisers import Serialiser

_LEVEL = {
    "description": "The tasks you are notified of: those you are involved in, all, or none but notices about you",
    "example": "involved",
}
_DIGEST = {"description": "Collect mails that are not urgent into one mail a day or a week"}


class TimeOfDay(Form):
    """A time by the clock of the user: `08:00`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", "Not a time such as 08:00.", **kwargs)
        self.documented["example"] = "08:00"


class Choices(Json):
    """Which kinds of notices each channel sends: {channel: {kind: bool}}; in a patch null stands for the default."""

    @property  # computed, because the channels and kinds are known only once features are loaded
    def documented(self) -> dict[str, Any]:
        kinds = {kind: {"type": self._type("boolean"), "description": about.title} for kind, about in KINDS.items()}
        names = [channel.name for channel in channels.personal()]
        example = {"email": {"task.commented": False}}
        return self._closed(dict.fromkeys(names, self._closed(kinds))) | {"example": example}

    def _closed(self, properties: dict[str, Any]) -> dict[str, Any]:
        return {"type": self._type("object"), "properties": properties, "additionalProperties": False}

    def _type(self, name: str) -> Any:
        return [name, "null"] if self.allow_none else name

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ma.ValidationError("An object of channels is needed.")
        for channel, kinds in value.items():
            if kinds is not None and not (isinstance(kinds, dict) and all(map(_is_choice, kinds.values()))):
                raise ma.ValidationError(f"{str(channel)[:50]}: an object of kinds, each true or false, is needed.")
        return value


def _is_choice(value: Any) -> bool:
    return value is None or type(value) is bool


class QuietHours(Schema):
    """Times between which mails, text messages and chat wait, except reminders, digests and mails about the account."""

    start = TimeOfDay(required=True)
    end = TimeOfDay(required=True)


class QuietHoursPatch(Schema):
    """Changes of quiet hours; absent members stay. The result must have both times, or neither."""

    documented = {"example": {"start": "22:00", "end": "07:00"}}

    start = TimeOfDay(allow_none=True)
    end = TimeOfDay(allow_none=True)


class NotificationOut(Schema):
    """A notification."""

    id = Id(attribute="_id", required=True)
    kind = ContributedName(lambda: KINDS, required=True, metadata={"example": "task.assigned"})
    title = fields.String(required=True, metadata={"example": "[APP-1] Write the notes"})
    text = fields.String(required=True)
    project_id = Id(required=True, allow_none=True)
    task_id = Id(required=True, allow_none=True)
    actor_id = Id(required=True, allow_none=True, metadata={"description": "The user who acted; null for the service"})
    read_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class UpTo(Schema):
    """The notification up to which all are marked as read; null for all."""

    documented: ClassVar[dict[str, Any]] = {"example": {}}
    may_be_left_out = True

    until = Id(allow_none=True, load_default=None)


class InboxStored(Schema):
    """The notification up to which you have marked all as read."""

    read_until = Id(required=True, allow_none=True)
    revision = fields.Integer(required=True)


class InboxOut(InboxStored):
    """The number of your unread notifications."""

    unread = fields.Raw(
        required=True,
        metadata={
            "description": "A number, or `{value, relation: gte}` beyond a thousand",
            "anyOf": [{"type": "integer"}, {"$ref": "#/components/schemas/AtLeast"}],
            "example": 3,
        },
    )


class PreferencesPatch(Schema):
    """Changes of notification preferences; absent members stay, null stands for the default."""

    documented = {"example": {"channels": {"email": {"task.commented": False}}, "digest": "daily"}}

    channels = Choices(allow_none=True)
    level = fields.String(validate=validate.OneOf(LEVELS), allow_none=True, metadata=_LEVEL)
    quiet_hours = fields.Nested(QuietHoursPatch, allow_none=True)
    digest = fields.String(validate=validate.OneOf(DIGESTS), allow_none=True, metadata=_DIGEST)
    digest_at = TimeOfDay(allow_none=True)
    digest_on = fields.String(validate=validate.OneOf(WEEKDAYS), allow_none=True)


class PreferencesOut(Schema):
    """Notification preferences: kinds, channels and times."""

    channels = Choices(required=True)
    level = fields.String(required=True, metadata=_LEVEL | {"enum": list(LEVELS)})
    quiet_hours = fields.Nested(QuietHours, required=True, allow_none=True)
    digest = fields.String(required=True, metadata=_DIGEST | {"enum": list(DIGESTS)})
    digest_at = TimeOfDay(required=True)
    digest_on = fields.String(required=True, metadata={"enum": list(WEEKDAYS)})
    revision = fields.Integer(required=True)
    updated_at = Instant(required=True, allow_none=True)


class ProjectPreferencesPatch(Schema):
    """Changes of notification preferences for a project; absent members stay, null stands for the default."""

    muted = Flag(
        allow_none=True,
        metadata={
            "description": "Send nothing about this project but reminders and notices about webhooks and share links"
        },
    )
    level = fields.String(validate=validate.OneOf(LEVELS), allow_none=True, metadata=_LEVEL)


class ProjectPreferencesOut(Schema):
    """Notification preferences for a project; with a `level` of null your general level holds."""

    project_id = Id(required=True)
    muted = fields.Boolean(required=True)
    level = fields.String(required=True, allow_none=True, metadata=_LEVEL | {"enum": [*LEVELS, None]})
    revision = fields.Integer(required=True)
    updated_at = Instant(required=True, allow_none=True)


NOTIFICATION = Serialiser(NotificationOut)
INBOX = Serialiser(InboxStored)


class _Stored(PreferencesOut):
    """The form that the serialiser is compiled from: these members are stored as they are returned."""

    channels = Json(required=True)  # type: ignore[assignment]  # marshmallow fields are replaced, not subclassed
    digest_at = Form("^.*$", "", required=True)  # type: ignore[assignment]
    quiet_hours = fields.Nested(type("Quiet", (Schema,), {"start": fields.String(), "end": fields.String()}))


PREFERENCES = Serialiser(_Stored)
PROJECT_PREFERENCES = Serialiser(ProjectPreferencesOut)
