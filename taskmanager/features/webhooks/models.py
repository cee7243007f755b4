"""Webhooks."""

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
    """Where a program wants to be told of events: of one project, or of all that its owner is a member of."""

    meta = {"collection": "webhooks", "db_alias": "notifications"}

    owner_id = ObjectIdField(required=True)
    project_id = ObjectIdField()
    url = StringField(required=True, max_length=2000)
    description = StringField(max_length=200)
    events = ListField(StringField(), required=True)
    filter = StringField()
    references = ListField(DictField())  # what its names mean: see tasks.stored_filters
    secrets = ListField(DictField(), required=True)  # {secret (encrypted), until}; the newest first
    active = BooleanField(required=True, default=True)  # false: its owner turned it off
    disabled_at = DateTimeField()  # by the service, because it failed for days
    disabled_because = StringField()
    failing_since = DateTimeField()
    rests_until = DateTimeField()  # after failures nothing is sent for a while
    failures = IntField(required=True, default=0)  # without a success between them
    took_ms = IntField()  # how long it took for its latest answer, or to give none
    busy = ListField(DictField())  # requests that are under way: {by: delivery, until: when it ends at the latest}


class Body(Document):
    """What is sent of one event (its id is the event's), to all webhooks that are told of it."""

    meta = {"collection": "webhook_bodies", "db_alias": "notifications", "strict": False, "auto_create_index": False}

    id = ObjectIdField(primary_key=True)
    text = StringField(required=True)
    expires_at = DateTimeField(required=True)
