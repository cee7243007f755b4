"""Saved views of tasks."""

from mongoengine import BooleanField, DictField, ListField, ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned


class View(Versioned):
    """A filter and an order under a name: of one person, or shared with a project."""

    meta = {"collection": "views", "db_alias": "tasks"}

    project_id = ObjectIdField()  # none: over all projects of its owner
    owner_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=100)
    filter = StringField(max_length=1024)
    references = ListField(DictField())  # what its names mean: see stored_filters
    sort = StringField(required=True)
    shared = BooleanField(required=True, default=False)
