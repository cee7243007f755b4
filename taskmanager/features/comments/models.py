"""Comments."""

from mongoengine import DateTimeField, DictField, ListField, ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned

MAX_VERSIONS = 50  # of one comment: older ones are deleted


class Comment(Versioned):
    """A comment of a user on a task, in Markdown."""

    meta = {"collection": "comments", "db_alias": "tasks"}
    shard_field = "task_id"

    task_id = ObjectIdField(required=True)
    author_id = ObjectIdField(required=True)
    text = StringField(required=True, max_length=20_000)
    html = StringField()  # rendered from the text when it was written; unset in comments of earlier releases
    mentioned_ids = ListField(ObjectIdField())
    edited_at = DateTimeField()
    history = ListField(DictField())  # earlier texts, the oldest first: {text, until}
    reactions = ListField(DictField())  # {emoji, user_ids}, in the order of the first reaction of each
