"""Removal of a member, in one transaction with the access to the project that the account gave to others.

Listeners to the event do what takes longer: they change tasks, reminders, deliveries and webhooks.
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
    members.check_may_take(actor, project_id, membership.role)
    membership.check_revision(if_match)
    if membership.role == "owner":
        members.keep_an_owner(project_id, user_id)
    end_membership(membership, actor=actor)
    users.raise_access_versions([user_id])


def end_membership(membership: Membership, *, actor: Actor) -> None:
    """Delete a membership, the account's share links of the project, and revoke pending invitations by and to it.

    Their numbers are limited. Links are deleted, not given to another member: the removed user knows their tokens.
    """
    project_id, user_id = membership.project_id, membership.user_id
    Membership.objects(id=membership.id, revision=membership.revision).delete()
    links = list(ShareLink.objects(project_id=project_id, created_by=user_id))
    ways_in.delete_links(links, actor=actor)
    by_or_to = Q(invited_by=user_id) | Q(user_id=user_id) | Q(email=users.public_profiles([user_id])[user_id]["email"])
    invitations = list(Invitation.objects(by_or_to, project_id=project_id, state="pending"))
    ways_in.revoke_invitations(invitations, actor=actor)
    record(MemberRemoved(membership, actor, ended_links=len(links)))
