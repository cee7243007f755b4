"""What was sent to whom, what waits to be read, and what people want to hear of."""

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
DIGEST = "digest"  # what bundles are about that go out at their time
DIGESTS = ("off", "daily", "weekly")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Delivery(Document):
    """One event told to one recipient on one channel: the unique index is why no user is told twice.

    Several of one bundle go out as one message: the first becomes their leader and alone has a `due_at`.
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
    kind = StringField()  # what it tells: see `kinds`; of a webhook, the kind of the event
    project_id = ObjectIdField()
    bundle = StringField()  # what may go out together
    led_by = ObjectIdField()  # the delivery whose message tells this too
    state = StringField(required=True, default="pending", choices=STATES)
    due_at = DateTimeField()  # when the relay hands it out (again)
    claimed_until = DateTimeField(required=True, default=now)
    attempts = IntField(required=True, default=0)
    wanted_at = DateTimeField()  # when it was to be told first
    counted = BooleanField()  # of a text message: it is in the month's number
    first_at = DateTimeField()  # of the first attempt
    last_error = StringField()
    has_body = BooleanField()  # of a webhook: what is sent is made already, and stored once for the event
    body = StringField()  # of a webhook, where an earlier release stored what is sent with each delivery
    log = ListField(DictField())  # of a webhook: its latest attempts

    created_at = DateTimeField(required=True, default=now)
    ended_at = DateTimeField()  # since when it is not pending any more
    expires_at = DateTimeField()  # when it is forgotten


class Notification(Versioned):
    """What one person is told within the service."""

    meta = {"collection": "notifications", "db_alias": "notifications"}

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
    """Up to where a person has read everything at once."""

    meta = {"collection": "inboxes", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    read_until = ObjectIdField()


class Preferences(Versioned):
    """What a person wants to hear of; who has none is told by the defaults."""

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
    """The number that a person gets text messages at, once they have shown that it is theirs."""

    meta = {"collection": "phones", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    number = StringField(required=True)  # E.164: +491701234567
    verified_at = DateTimeField()
    nonce = StringField()  # what the code is made of, together with the service's secret
    code_until = DateTimeField()
    tries = IntField(required=True, default=0)
    month = StringField()  # for which messages are counted: 2026-11
    sent = IntField(required=True, default=0)


class ProjectPreferences(Versioned):
    """What a person wants to hear of in one project, where that differs."""

    meta = {"collection": "project_preferences", "db_alias": "notifications"}

    user_id = ObjectIdField(required=True)
    project_id = ObjectIdField(required=True)
    muted = BooleanField(required=True, default=False)
    level = StringField(choices=LEVELS)
