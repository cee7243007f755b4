"""Deliveries, in-app notifications, preferences and phone numbers."""

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

from taskmanager.core.clock import now
from taskmanager.core.storage.documents import Versioned
from taskmanager.core.storage.querysets import BaseQuerySet

STATES = ("pending", "sent", "dead", "cancelled")
LEVELS = ("involved", "all", "none")
DIGEST = "digest"  # last part of the name of a delivery group that is sent as a digest
DIGESTS = ("off", "daily", "weekly")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Delivery(Document):
    """One event for one recipient on one channel. A unique index keeps a user from being notified twice.

    Deliveries of one group are sent as one message: the first becomes the leader, and only the leader has a `due_at`.
    """

    meta = {
        "collection": "deliveries",
        "db_alias": "notifications",
        "strict": False,
        "auto_create_index": False,
        "queryset_class": BaseQuerySet,
    }

    event_id = ObjectIdField(required=True)
    channel = StringField(required=True)
    recipient_id = ObjectIdField(required=True)
    kind = StringField()  # of the notice: see `kinds`; of a webhook, the kind of the event
    project_id = ObjectIdField()
    group = StringField(db_field="bundle")  # the delivery group: what may be sent together
    leader_id = ObjectIdField(db_field="led_by")  # the group leader, whose message includes this one
    state = StringField(required=True, default="pending", choices=STATES)
    due_at = DateTimeField()  # when the relay dispatches it (again)
    claimed_until = DateTimeField(required=True, default=now)
    attempts = IntField(required=True, default=0)
    wanted_at = DateTimeField()  # when it was first to be sent
    counted = BooleanField()  # of a text message: it is counted in the month
    first_at = DateTimeField()  # time of the first attempt
    last_error = StringField()
    has_body = BooleanField()  # of a webhook: its body is stored once for the event
    body = StringField()  # of a webhook: where an earlier release stored the body of each delivery
    log = ListField(DictField())  # of a webhook: its latest attempts

    created_at = DateTimeField(required=True, default=now)
    ended_at = DateTimeField()  # when it became sent, dead or cancelled
    expires_at = DateTimeField()  # when it is deleted
    traceparent = StringField()  # the context of the trace that it is part of, if any
    request_id = StringField()  # of the request that it comes of


class Notification(Versioned):
    """A notice that a user reads within the service."""

    meta = {"collection": "notifications", "db_alias": "notifications"}
    shard_field = "user_id"

    user_id = ObjectIdField(required=True)
    event_id = ObjectIdField(required=True)
    kind = StringField(required=True)
    title = StringField(required=True)
    text = StringField(required=True)
    project_id = ObjectIdField()
    task_id = ObjectIdField()
    actor_id = ObjectIdField()
    read_at = DateTimeField()
    expires_at = DateTimeField(required=True)


class Inbox(Versioned):
    """The notification up to which a user has marked all as read."""

    meta = {"collection": "inboxes", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    read_until = ObjectIdField()


class Preferences(Versioned):
    """The notification preferences of a user. Users without a document have the defaults."""

    meta = {"collection": "preferences", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    level = StringField(required=True, default="involved", choices=LEVELS)
    chosen = ListField(StringField())  # what differs from the defaults: "+email task.changed", "-in_app task.assigned"
    quiet_from = StringField()
    quiet_to = StringField()
    digest = StringField(required=True, default="off", choices=DIGESTS)
    digest_at = StringField(required=True, default="08:00")
    digest_on = StringField(required=True, default="monday", choices=WEEKDAYS)


class Phone(Versioned):
    """The phone number of a user; text messages are sent to it once it is verified."""

    meta = {"collection": "phones", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    number = StringField(required=True)  # E.164: +491701234567
    verified_at = DateTimeField()
    nonce = StringField()  # the code is derived from it, the number and the service's secret
    code_until = DateTimeField()
    tries = IntField(required=True, default=0)
    month = StringField()  # in which `sent` messages are counted: 2026-11
    sent = IntField(required=True, default=0)


class ProjectPreferences(Versioned):
    """The notification preferences of a user for one project, where they differ."""

    meta = {"collection": "project_preferences", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    project_id = ObjectIdField(required=True)
    muted = BooleanField(required=True, default=False)
    level = StringField(choices=LEVELS)
