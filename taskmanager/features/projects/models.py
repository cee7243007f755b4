"""Projects and who belongs to them."""

from bson import ObjectId
from mongoengine import DateTimeField, IntField, ObjectIdField, StringField

from taskmanager.core.documents import Versioned
from taskmanager.features.projects.querysets import MembershipWords, ProjectWords


class Project(Versioned):
    """A body of tasks with members. `key` begins the keys of its tasks (`APP-12`) and is never given twice."""

    meta = {"collection": "projects", "db_alias": "tasks", "queryset_class": ProjectWords}

    key = StringField(required=True, max_length=10)
    name = StringField(required=True, max_length=200)
    description = StringField(max_length=20_000)
    last_number = IntField(required=True, default=0)
    deleted_at = DateTimeField()

    @property
    def project_id(self) -> ObjectId:
        """Itself: permissions ask every item of a project for its project."""
        return self.id


class Membership(Versioned):
    """That a person belongs to a project, and as what."""

    meta = {"collection": "memberships", "db_alias": "tasks", "queryset_class": MembershipWords}

    project_id = ObjectIdField(required=True)
    user_id = ObjectIdField(required=True)
    role = StringField(required=True)
    owner_checks = IntField()  # written when another owner leaves: see members._keep_an_owner
