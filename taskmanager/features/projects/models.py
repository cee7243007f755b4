"""Models of projects, labels, custom fields, memberships, invitations and share links."""

import unicodedata
from typing import Any

from bson import ObjectId
from mongoengine import BinaryField, DateTimeField, DictField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core import quotas, zones
from taskmanager.core.storage.documents import Versioned
from taskmanager.core.storage.orders import natural_key
from taskmanager.features.projects.querysets import InvitationQuerySet, MembershipQuerySet, ProjectQuerySet
from taskmanager.features.projects.workflow import Workflow

FIELD_TYPES = ("text", "number", "date", "select", "user", "checkbox")

# The states of invitations. An expired invitation stays pending, and is deleted some time later.
STATES = ("pending", "accepted", "refused", "revoked")


class Project(Versioned):
    """A set of tasks with members.

    `key` begins the keys of its tasks (`APP-12`). It is unique among the projects that are not deleted.
    """

    meta = {"collection": "projects", "db_alias": "tasks", "queryset_class": ProjectQuerySet}

    key = StringField(required=True, max_length=10)
    key_order = StringField()  # orders by key: see natural_key
    name = StringField(required=True, max_length=200)
    description = StringField(max_length=20_000)
    color = StringField()
    parent_id = ObjectIdField()
    position = StringField(required=True)
    timezone = StringField(required=True, default=zones.DEFAULT)  # of whole days and floating times
    statuses = ListField(DictField())  # the default workflow when empty
    last_number = IntField(required=True, default=0)
    last_position = IntField(required=True, default=0)  # of its tasks
    task_count = IntField(required=True, default=0)  # including those in the trash
    attachment_bytes = IntField(required=True, default=0)  # of its tasks
    last_created_at = DateTimeField()  # of its tasks
    archived_at = DateTimeField()
    deleted_at = DateTimeField()
    purged_at = DateTimeField()  # when its purge began: it cannot be restored any more
    purge_after = DateTimeField()  # when a failed purge is retried

    def clean(self) -> None:
        """Set `key_order` before MongoEngine inserts the document."""
        self.key_order = natural_key(self.key)

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return `key_order` for a changed key (see Versioned)."""
        return {"key_order": natural_key(changes["key"])} if "key" in changes else {}

    @property
    def workflow(self) -> Workflow:
        """Return the workflow of the project's tasks."""
        return Workflow(self.plain_value("statuses"))

    @property
    def project_id(self) -> ObjectId:
        """Return its own id: permissions read `project_id` of every document of a project."""
        return self.id


class Label(Versioned):
    """A label of the tasks of a project. Names are unique in a project, ignoring case."""

    meta = {"collection": "labels", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=100)
    name_key = StringField(required=True)
    color = StringField()

    def clean(self) -> None:
        """Set `name_key` before MongoEngine inserts the document."""
        self.name_key = name_key(self.name)

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return `name_key` for a changed name (see Versioned)."""
        return {"name_key": name_key(changes["name"])} if "name" in changes else {}


def name_key(name: str) -> str:
    """Return the normalized form of a name (NFKC, case-folded), by which names are compared."""
    return unicodedata.normalize("NFKC", name).casefold()


class CustomField(Versioned):
    """A field that one project adds to its tasks. Its key and type never change."""

    meta = {"collection": "custom_fields", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    key = StringField(required=True)
    name = StringField(required=True, max_length=100)
    type = StringField(required=True, choices=FIELD_TYPES)
    options = ListField(StringField())  # of a select


class Membership(Versioned):
    """The membership of a user in a project, with a role."""

    meta = {"collection": "memberships", "db_alias": "tasks", "queryset_class": MembershipQuerySet}
    shard_field = "project_id"

    project_id = ObjectIdField(required=True)
    user_id = ObjectIdField(required=True)
    role = StringField(required=True)
    owner_checks = IntField()  # written when another owner leaves: see members.keep_an_owner

    def clean(self) -> None:
        """Check quotas before MongoEngine inserts the document.

        Raises Conflict (`quota.members`, `quota.memberships`, `quota.projects`).
        """
        quotas.check_room("members", Membership.objects(project_id=self.project_id), self.project_id)
        quotas.check_room("memberships", alive_of(Membership.objects(user_id=self.user_id)), self.user_id)
        if self.role == "owner":
            check_room_of_owner(self.user_id)


def alive_of(memberships: MembershipQuerySet) -> ProjectQuerySet:
    """Return the projects of these memberships that are not deleted."""
    return Project.objects(id__in=memberships.project_ids()).alive()


def check_room_of_owner(user_id: ObjectId) -> None:
    """Raise Conflict (`quota.projects`) unless the account may own one more project."""
    quotas.check_room("projects", alive_of(Membership.objects(user_id=user_id, role="owner")), user_id)


class Invitation(Versioned):
    """An invitation of the owner of an address, or of the account with an id, to join a project.

    It has either `email` or `user_id`, as the inviter gave it; such an account need not exist.
    """

    meta = {"collection": "invitations", "db_alias": "tasks", "queryset_class": InvitationQuerySet}

    project_id = ObjectIdField(required=True)
    email = StringField(max_length=254)
    user_id = ObjectIdField()
    role = StringField(required=True)
    invited_by = ObjectIdField(required=True)
    expires_at = DateTimeField(required=True)
    state = StringField(required=True, default="pending", choices=STATES)


class ShareLink(Versioned):
    """A link whose token lets people read a project. The token is derived from the nonce, and is not stored."""

    meta = {"collection": "share_links", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    role = StringField(required=True)
    name = StringField(max_length=200)
    nonce = BinaryField(required=True)
    password_hash = StringField()
    expires_at = DateTimeField()
    created_by = ObjectIdField(required=True)
