"""Saved views of tasks."""

from mongoengine import BooleanField, DictField, ListField, ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned


class View(Versioned):
    """A named filter and order of tasks: of one user, or shared with a project."""

    meta = {"collection": "views", "db_alias": "tasks"}

    project_id = ObjectIdField()  # unset: a view over all projects of its owner
    owner_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=100)
    filter = StringField(max_length=1024)
    references = ListField(DictField())  # the meaning of the names in the filter: see `tasks.filtering.stored`
    sort = StringField(required=True)
    shared = BooleanField(required=True, default=False)
