"""Projects, who belongs to them, who is invited, and the links that let others read."""

import unicodedata
from typing import Any

from bson import ObjectId
from mongoengine import BinaryField, DateTimeField, DictField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core import quotas, zones
from taskmanager.core.storage.collation import natural_key
from taskmanager.core.storage.documents import Versioned
from taskmanager.features.projects.querysets import InvitationQuerySet, MembershipQuerySet, ProjectQuerySet
from taskmanager.features.projects.workflow import Workflow

FIELD_TYPES = ("text", "number", "date", "select", "user", "checkbox")

# What becomes of an invitation. One that has expired stays pending, and is deleted some time later.
STATES = ("pending", "accepted", "refused", "revoked")


class Project(Versioned):
    """A body of tasks with members.

    `key` begins the keys of its tasks (`APP-12`). No two projects have the same, but for those that are deleted.
    """

    meta = {"collection": "projects", "db_alias": "tasks", "queryset_class": ProjectQuerySet}

    key = StringField(required=True, max_length=10)
    key_order = StringField()  # of the key: see natural_key
    name = StringField(required=True, max_length=200)
    description = StringField(max_length=20_000)
    color = StringField()
    parent_id = ObjectIdField()
    position = StringField(required=True)
    timezone = StringField(required=True, default=zones.DEFAULT)  # in which whole days and floating times are due
    statuses = ListField(DictField())  # the default workflow when empty
    last_number = IntField(required=True, default=0)
    last_position = IntField(required=True, default=0)  # of its tasks
    task_count = IntField(required=True, default=0)  # with those in the trash
    attachment_bytes = IntField(required=True, default=0)  # of its tasks
    last_created_at = DateTimeField()  # of its tasks
    archived_at = DateTimeField()
    deleted_at = DateTimeField()
    purged_at = DateTimeField()  # since when its purge is under way: it cannot be restored any more
    purge_after = DateTimeField()  # when a purge that failed is tried again

    def clean(self) -> None:
        """Check the whole before MongoEngine inserts it."""
        self.key_order = natural_key(self.key)

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """See Versioned: what orders the key."""
        return {"key_order": natural_key(changes["key"])} if "key" in changes else {}

    @property
    def workflow(self) -> Workflow:
        """Return the states that its tasks go through."""
        return Workflow(self.statuses)

    @property
    def project_id(self) -> ObjectId:
        """Return itself: permissions ask every item of a project for its project."""
        return self.id


class Label(Versioned):
    """A word that tasks of a project are marked with. Two spellings of one name, by case, are one label."""

    meta = {"collection": "labels", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=100)
    name_key = StringField(required=True)
    color = StringField()

    def clean(self) -> None:
        """Check the whole before MongoEngine inserts it."""
        self.name_key = name_key(self.name)

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """See Versioned: what makes the name unique."""
        return {"name_key": name_key(changes["name"])} if "name" in changes else {}


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common."""
    return unicodedata.normalize("NFKC", name).casefold()


class CustomField(Versioned):
    """Something that the tasks of one project say beside what all tasks do. Its key and type stay as they are."""

    meta = {"collection": "custom_fields", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    key = StringField(required=True)
    name = StringField(required=True, max_length=100)
    type = StringField(required=True, choices=FIELD_TYPES)
    options = ListField(StringField())  # of a select


class Membership(Versioned):
    """That a person belongs to a project, and as what."""

    meta = {"collection": "memberships", "db_alias": "tasks", "queryset_class": MembershipQuerySet}

    project_id = ObjectIdField(required=True)
    user_id = ObjectIdField(required=True)
    role = StringField(required=True)
    owner_checks = IntField()  # written when another owner leaves: see members.keep_an_owner

    def clean(self) -> None:
        """Check the whole before MongoEngine inserts it. Raises Conflict (`quota.…`)."""
        quotas.check_room("members", Membership.objects(project_id=self.project_id))
        quotas.check_room("memberships", alive_of(Membership.objects(user_id=self.user_id)))
        if self.role == "owner":
            check_room_of_owner(self.user_id)


def alive_of(memberships: MembershipQuerySet) -> ProjectQuerySet:
    """Return the projects that these are of, without those that were deleted."""
    return Project.objects(id__in=memberships.project_ids()).alive()  # type: ignore[no-any-return]


def check_room_of_owner(user_id: ObjectId) -> None:
    """Raise Conflict (`quota.projects`) unless the account may own one more project."""
    quotas.check_room("projects", alive_of(Membership.objects(user_id=user_id, role="owner")))


class Invitation(Versioned):
    """That a user is asked to join a project: the owner of an address, or the account with an id.

    It has either `email` or `user_id`, as it was asked for; whether there is such an account is not known.
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
    """That whoever has its token may read a project. The token is made from the nonce, and is not stored."""

    meta = {"collection": "share_links", "db_alias": "tasks"}

    project_id = ObjectIdField(required=True)
    role = StringField(required=True)
    name = StringField(max_length=200)
    nonce = BinaryField(required=True)
    password_hash = StringField()
    expires_at = DateTimeField()
    created_by = ObjectIdField(required=True)
