"""What ends with a membership, in the transaction that ends it: the ways into the project that the account had opened.

What takes longer follows by the event: tasks, reminders, deliveries and webhooks are changed by listeners.
"""

from bson import ObjectId
from mongoengine import Q

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import MemberRemoved
from taskmanager.features.projects.members import service as members, ways_in
from taskmanager.features.projects.models import Invitation, Membership, ShareLink
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.users import service as users


@unit_of_work
def remove(project_id: ObjectId, user_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Remove a member, or leave. Raises NotFound, Forbidden, PreconditionFailed, Conflict (`project.last_owner`)."""
    membership = members.one(project_id, user_id, actor)
    is_own = user_id == actor.user_id
    authorize(actor, ProjectAction.LEAVE if is_own else ProjectAction.MANAGE_MEMBERS, membership)
    members.may_take(actor, project_id, membership.role)
    membership.check_revision(if_match)
    if membership.role == "owner":
        members.keep_an_owner(project_id, user_id)
    end_membership(membership, actor=actor)
    users.rights_changed([user_id])


def end_membership(membership: Membership, *, actor: Actor) -> None:
    """Delete a membership with the account's share links of the project, and pending invitations by it and to it.

    They are bounded. Their tokens are known to who has left, so links end and are not handed on.
    """
    project_id, user_id = membership.project_id, membership.user_id
    Membership.objects(id=membership.id, revision=membership.revision).delete()
    links = list(ShareLink.objects(project_id=project_id, created_by=user_id))
    ways_in.delete_links(links, actor=actor)
    by_or_to = Q(invited_by=user_id) | Q(user_id=user_id) | Q(email=users.public_profiles([user_id])[user_id]["email"])
    invitations = list(Invitation.objects(by_or_to, project_id=project_id, state="pending"))
    ways_in.revoke_invitations(invitations, actor=actor)
    record(MemberRemoved(membership, actor, ended_links=len(links)))
