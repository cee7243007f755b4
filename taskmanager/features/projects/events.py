"""Events of projects, memberships, invitations and share links."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor


@dataclass(frozen=True)
class ProjectFact(Fact):
    """Something that happened to a document of a project (`item` has `id` and `project_id`).

    `actor` is None for an operator, a job, or a user without a login.
    """

    item: Any
    actor: Actor | None
    changes: dict[str, Any] | None = None

    def stream(self) -> str:
        return f"project:{self.item.project_id}"

    def subject(self) -> ObjectId:
        return self.item.id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id if self.actor else None

    def data(self) -> dict[str, Any]:
        return {"changes": self.changes} if self.changes else {}


@dataclass(frozen=True)
class ProjectCreated(ProjectFact):
    kind: ClassVar[str] = "project.created"

    def accounts(self) -> Iterable[ObjectId]:
        return filter(None, [self.actor_id()])


@dataclass(frozen=True)
class ProjectUpdated(ProjectFact):
    kind: ClassVar[str] = "project.updated"


@dataclass(frozen=True)
class ProjectVisibilityFact(ProjectFact):
    """Base of the events by which the members of a project begin or cease to see it."""

    member_ids: Iterable[ObjectId] = ()

    def accounts(self) -> Iterable[ObjectId]:
        return self.member_ids


@dataclass(frozen=True)
class ProjectDeleted(ProjectVisibilityFact):
    kind: ClassVar[str] = "project.deleted"


@dataclass(frozen=True)
class ProjectRestored(ProjectVisibilityFact):
    """The project was restored from the trash; `changes` has its key, if it has another one now."""

    kind: ClassVar[str] = "project.restored"


@dataclass(frozen=True)
class ProjectPurged(ProjectVisibilityFact):
    """The purge of the project began; without an actor when its time in the trash was over."""

    kind: ClassVar[str] = "project.purged"
    audited: ClassVar[bool] = True

    def data(self) -> dict[str, Any]:
        return {"key": self.item.key}


@dataclass(frozen=True)
class ProjectArchived(ProjectFact):
    kind: ClassVar[str] = "project.archived"


@dataclass(frozen=True)
class ProjectUnarchived(ProjectFact):
    kind: ClassVar[str] = "project.unarchived"


@dataclass(frozen=True)
class LabelFact(ProjectFact):
    """Something that happened to a label."""

    def data(self) -> dict[str, Any]:
        return {**super().data(), "name": self.item.name, "project_id": self.item.project_id}


@dataclass(frozen=True)
class LabelCreated(LabelFact):
    kind: ClassVar[str] = "label.created"


@dataclass(frozen=True)
class LabelUpdated(LabelFact):
    kind: ClassVar[str] = "label.updated"


@dataclass(frozen=True)
class LabelDeleted(LabelFact):
    kind: ClassVar[str] = "label.deleted"


@dataclass(frozen=True)
class CustomFieldFact(ProjectFact):
    """Something that happened to a custom field."""

    def data(self) -> dict[str, Any]:
        return {**super().data(), "key": self.item.key, "project_id": self.item.project_id}


@dataclass(frozen=True)
class CustomFieldCreated(CustomFieldFact):
    kind: ClassVar[str] = "custom_field.created"


@dataclass(frozen=True)
class CustomFieldUpdated(CustomFieldFact):
    kind: ClassVar[str] = "custom_field.updated"


@dataclass(frozen=True)
class CustomFieldDeleted(CustomFieldFact):
    kind: ClassVar[str] = "custom_field.deleted"


@dataclass(frozen=True)
class ProjectTransferred(ProjectFact):
    """The project has another owner; `changes` has the former and the new one."""

    kind: ClassVar[str] = "project.transferred"
    audited: ClassVar[bool] = True


@dataclass(frozen=True)
class MembershipFact(ProjectFact):
    """Something that happened to a membership; the data has the user and the role."""

    audited: ClassVar[bool] = True

    def data(self) -> dict[str, Any]:
        return {**super().data(), "user_id": self.item.user_id, "role": self.item.role}


@dataclass(frozen=True)
class MemberAdded(MembershipFact):
    kind: ClassVar[str] = "member.added"

    def accounts(self) -> Iterable[ObjectId]:
        return [self.item.user_id]


@dataclass(frozen=True)
class MemberChanged(MembershipFact):
    kind: ClassVar[str] = "member.changed"


@dataclass(frozen=True)
class MemberProfileChanged(MembershipFact):
    """The name or the address of a member has changed."""

    kind: ClassVar[str] = "member.profile_changed"
    audited: ClassVar[bool] = False


@dataclass(frozen=True)
class MemberRemoved(MembershipFact):
    """A member was removed or left. `ended_links`: how many of their share links ended with the membership."""

    kind: ClassVar[str] = "member.removed"
    ended_links: int = 0

    def accounts(self) -> Iterable[ObjectId]:
        return [self.item.user_id]

    def data(self) -> dict[str, Any]:
        return {**super().data(), **({"ended_links": self.ended_links} if self.ended_links else {})}


@dataclass(frozen=True)
class InvitationFact(ProjectFact):
    """Something that happened to an invitation. The data has no address: more users can read the log than may see it.

    `actor` is None for a user that refused with the token of the mail, without a login.
    """

    audited: ClassVar[bool] = True

    def data(self) -> dict[str, Any]:
        return {**super().data(), "role": self.item.role}


@dataclass(frozen=True)
class InvitationCreated(InvitationFact):
    kind: ClassVar[str] = "invitation.created"
    token_id: ObjectId | None = None  # the row of the one-time token in the mail

    def data(self) -> dict[str, Any]:
        return {**super().data(), "token_id": self.token_id}


@dataclass(frozen=True)
class InvitationAccepted(InvitationFact):
    kind: ClassVar[str] = "invitation.accepted"


@dataclass(frozen=True)
class InvitationRefused(InvitationFact):
    kind: ClassVar[str] = "invitation.refused"


@dataclass(frozen=True)
class InvitationRevoked(InvitationFact):
    kind: ClassVar[str] = "invitation.revoked"


@dataclass(frozen=True)
class ShareLinkFact(ProjectFact):
    """Something that happened to a share link; the data never has its token, nonce or password."""

    audited: ClassVar[bool] = True

    def data(self) -> dict[str, Any]:
        return {**super().data(), "role": self.item.role, "name": self.item.name}


@dataclass(frozen=True)
class ShareLinkCreated(ShareLinkFact):
    kind: ClassVar[str] = "share_link.created"


@dataclass(frozen=True)
class ShareLinkUpdated(ShareLinkFact):
    kind: ClassVar[str] = "share_link.updated"


@dataclass(frozen=True)
class ShareLinkDeleted(ShareLinkFact):
    kind: ClassVar[str] = "share_link.deleted"
