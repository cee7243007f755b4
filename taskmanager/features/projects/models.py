"""Projects, who belongs to them, who is invited, and the links that let others read."""

from bson import ObjectId
from mongoengine import BinaryField, DateTimeField, DictField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core.documents import Versioned
from taskmanager.features.projects.querysets import InvitationWords, MembershipWords, ProjectWords
from taskmanager.features.projects.workflow import Workflow

# What becomes of an invitation. One that has expired stays pending, and is deleted some time later.
STATES = ("pending", "accepted", "refused", "revoked")


class Project(Versioned):
    """A body of tasks with members. `key` begins the keys of its tasks (`APP-12`) and is never given twice."""

    meta = {"collection": "projects", "db_alias": "tasks", "queryset_class": ProjectWords}

    key = StringField(required=True, max_length=10)
    name = StringField(required=True, max_length=200)
    description = StringField(max_length=20_000)
    color = StringField()
    parent_id = ObjectIdField()
    position = StringField(required=True)
    statuses = ListField(DictField())  # the default workflow when empty
    last_number = IntField(required=True, default=0)
    last_position = IntField(required=True, default=0)  # of its tasks
    archived_at = DateTimeField()
    deleted_at = DateTimeField()

    @property
    def workflow(self) -> Workflow:
        """The states that its tasks go through."""
        return Workflow(self.statuses)

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


class Invitation(Versioned):
    """That the owner of an address is asked to join a project; whether he has an account is not known."""

    meta = {"collection": "invitations", "db_alias": "tasks", "queryset_class": InvitationWords}

    project_id = ObjectIdField(required=True)
    email = StringField(required=True, max_length=254)
    role = StringField(required=True)
    invited_by = ObjectIdField(required=True)
    expires_at = DateTimeField(required=True)
    state = StringField(required=True, default="pending", choices=STATES)


class ShareLink(Versioned):
    """That whoever has its token may read a project. The token is made from the nonce, and is not stored."""

    meta = {"collection": "share_links", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    role = StringField(required=True)
    name = StringField(max_length=200)
    nonce = BinaryField(required=True)
    password_hash = StringField()
    expires_at = DateTimeField()
    created_by = ObjectIdField(required=True)
