"""What is stored: a collection of its own. Its indexes are made by a migration."""

from mongoengine import ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned


class Greeting(Versioned):
    """What a member said of a task."""

    meta = {"collection": "x_sample_greetings", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    task_id = ObjectIdField(required=True)
    author_id = ObjectIdField(required=True)
    text = StringField(required=True)
