"""Webhooks, and the bodies that are sent to them."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)

from taskmanager.core.storage.documents import Versioned


class Webhook(Versioned):
    """A URL to which events are sent: those of one project, or of all projects of the owner."""

    meta = {"collection": "webhooks", "db_alias": "notifications"}

    owner_id = ObjectIdField(required=True)
    project_id = ObjectIdField()
    url = StringField(required=True, max_length=2000)
    description = StringField(max_length=200)
    events = ListField(StringField(), required=True)
    filter = StringField()
    references = ListField(DictField())  # what the names in `filter` mean: see `tasks/filtering/stored.py`
    secrets = ListField(DictField(), required=True)  # {secret (encrypted), until}; newest first
    active = BooleanField(required=True, default=True)  # false: turned off by a user
    disabled_at = DateTimeField()  # by the service: it failed for days, or its owner left
    disabled_because = StringField()
    failing_since = DateTimeField()
    backoff_until = DateTimeField(db_field="rests_until")  # until when nothing is sent after failures
    failures = IntField(required=True, default=0)  # in a row
    took_ms = IntField()  # duration of the latest request, with or without a response
    in_flight = ListField(DictField(), db_field="busy")  # requests in flight: {by: delivery id, until: latest end}


class Body(Document):
    """The body of one event, sent to all webhooks that get it. Its id is that of the event."""

    meta = {"collection": "webhook_bodies", "db_alias": "notifications", "strict": False, "auto_create_index": False}

    id = ObjectIdField(primary_key=True)
    text = StringField(required=True)
    expires_at = DateTimeField(required=True)
