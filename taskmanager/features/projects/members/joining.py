"""How an account becomes a member: by accepting an invitation, or directly where it need not accept."""

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.invitations import service as invitations
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.users import service as users
from taskmanager.features.users.service import Addressee


@unit_of_work
def add_or_invite(
    project_id: ObjectId, *, role: str, actor: Actor, user_id: ObjectId | None = None, email: str | None = None
) -> Row | Invitation:
    """Add or invite the account with this `user_id` or `email`. Return the membership or the invitation.

    An invitation is the same, with the same queries, whether or not there is such an account.
    Raises NotFound, Forbidden, ScopeMissing, Conflict (`member.exists` and those of `invitations.create`), TooMany.
    """
    authorize(actor, ProjectAction.MANAGE_MEMBERS, Project.objects.visible_to(actor).one(project_id))
    members.check_may_give(actor, project_id, role)
    member_id = _joins_directly(users.find_addressee(email=email, user_id=user_id), actor)
    if member_id is None:
        return invitations.create(project_id, role=role, actor=actor, email=email, user_id=user_id)
    return members.with_profiles([members.join(project_id, member_id, role, actor=actor).as_row()])[0]


def _joins_directly(addressee: Addressee, actor: Actor) -> ObjectId | None:
    """Return the id of an account that need not accept; None if it must.

    It need not if it shares a project with the actor, is a service account, or settings permit it for all. An account
    that is given by an unconfirmed address always must.
    """
    acquainted = members.share_project(addressee.user_id or ObjectId(), actor=actor)
    permitted = acquainted or addressee.service or settings.current().adds_members_directly
    return addressee.user_id if permitted and addressee.active and addressee.proved else None
