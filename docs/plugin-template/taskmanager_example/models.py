"""What is stored."""

from mongoengine import ListField, ObjectIdField

from taskmanager.core.storage.documents import Versioned


class Completions(Versioned):
    """The events of a project that were counted: a listener may be called twice with the same one."""

    meta = {"collection": "x_example_completions", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    event_ids = ListField(ObjectIdField())
