"""What was sent to whom."""

from mongoengine import DateTimeField, Document, IntField, ObjectIdField, StringField

from taskmanager.core.clock import now


class Delivery(Document):
    """One event told to one person on one channel: the unique index is why nobody is told twice."""

    meta = {"collection": "deliveries", "db_alias": "notifications", "strict": False, "auto_create_index": False}

    event_id = ObjectIdField(required=True)
    channel = StringField(required=True, choices=("email",))
    recipient_id = ObjectIdField(required=True)
    state = StringField(required=True, default="pending", choices=("pending", "sent"))
    claimed_until = DateTimeField(required=True, default=now)
    attempts = IntField(required=True, default=0)
    last_error = StringField()
    created_at = DateTimeField(required=True, default=now)
    sent_at = DateTimeField()
