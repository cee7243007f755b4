"""Comments."""

from mongoengine import DateTimeField, DictField, ListField, ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned

MAX_VERSIONS = 50  # of one comment: the oldest go


class Comment(Versioned):
    """What a user wrote about a task, in Markdown."""

    meta = {"collection": "comments", "db_alias": "tasks"}

    task_id = ObjectIdField(required=True)
    author_id = ObjectIdField(required=True)
    text = StringField(required=True, max_length=20_000)
    html = StringField()  # of the text, made when it was written; absent where an earlier release wrote it
    mentioned_ids = ListField(ObjectIdField())
    edited_at = DateTimeField()
    history = ListField(DictField())  # earlier texts, the oldest first: {text, until}
    reactions = ListField(DictField())  # {emoji, user_ids}, in the order they were first given
