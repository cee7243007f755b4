"""Use cases of invitations, for inviters.

No result depends on whether there is an account with an address or an id. It may depend on whether that account is a
member of the project already: inviters can see the members and their addresses.
"""

from datetime import timedelta
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, NotFound, TooMany
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.text import plain_address
from taskmanager.features.projects.events import InvitationCreated, InvitationRevoked
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.users import one_time_tokens, service as users

PURPOSE = "invitation"  # of the one-time tokens
MAX_PENDING = 100  # of one project
MAX_PENDING_TO_ONE = 10  # from one account to one address or id, in all projects
# To one address or id in one project. Refusals count while they are stored: for a month after an invitation ends.
MAX_A_WEEK, MAX_REFUSED = 5, 3
_WEEK = timedelta(days=7)


@unit_of_work
def create(
    project_id: ObjectId, *, role: str, actor: Actor, email: str | None = None, user_id: ObjectId | None = None
) -> Invitation:
    """Invite the owner of an address, or the account with an id; this revokes an earlier invitation of the same.

    Raises NotFound, Forbidden, ScopeMissing, Conflict (`member.exists`, `invitation.refused`, `invitation.too_many`,
    `invitation.in_progress`), TooMany (`invitation.too_often`).
    """
    _check_manager(project_id, actor)
    members.check_may_give(actor, project_id, role)
    email = email and plain_address(email)
    invited = {"email": email, "user_id": user_id}
    _check_no_member(project_id, email=email, user_id=user_id)
    _check_frequency(project_id, invited)
    for earlier in Invitation.objects(project_id=project_id, state="pending", **invited):
        revoke_stored(earlier)
    _check_pending(project_id, invited, actor)
    invitation = _insert(Invitation(project_id=project_id, role=role, invited_by=actor.user_id, **invited))
    record(InvitationCreated(invitation, actor, token_id=_token(invitation)))
    return invitation


def visible(project_id: ObjectId, actor: Actor) -> BaseQuerySet:
    """Return the invitations to a project, in all states. Raises NotFound, Forbidden."""
    _check_manager(project_id, actor)
    return Invitation.objects(project_id=project_id)


def get(project_id: ObjectId, invitation_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one invitation to the project. Raises NotFound, Forbidden."""
    return visible(project_id, actor).row(invitation_id, fields)


@unit_of_work
def revoke(project_id: ObjectId, invitation_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Revoke an invitation. Raises NotFound, Forbidden, PreconditionFailed, Conflict (`invitation.answered`)."""
    _check_manager(project_id, actor)
    invitation = Invitation.objects(id=invitation_id, project_id=project_id).first()
    if invitation is None:
        raise NotFound
    invitation.check_revision(if_match)
    if invitation.state != "pending":
        raise Conflict("This invitation was already accepted, refused or revoked.", code="invitation.answered")
    record(InvitationRevoked(revoke_stored(invitation), actor))


def _check_manager(project_id: ObjectId, actor: Actor) -> None:
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.MANAGE_MEMBERS, project)


def _check_no_member(project_id: ObjectId, *, email: str | None, user_id: ObjectId | None) -> None:
    known = users.find_addressee(email=email, user_id=user_id).user_id
    if members.are_members(project_id, [known or ObjectId()]):
        raise Conflict("This account is a member already.", code="member.exists")


def _check_frequency(project_id: ObjectId, invited: dict[str, Any]) -> None:
    """Raise TooMany (`invitation.too_often`), Conflict (`invitation.refused`): limits repeated invitations."""
    earlier = Invitation.objects(project_id=project_id, **invited)
    recent = list(earlier.filter(created_at__gt=now() - _WEEK).order_by("created_at").scalar("created_at"))
    if len(recent) >= MAX_A_WEEK:
        wait = recent[-MAX_A_WEEK] + _WEEK - now()
        detail = f"At most {MAX_A_WEEK} invitations a week are sent to one address or account."
        raise TooMany(detail, code="invitation.too_often", retry_after=max(1, int(wait.total_seconds())))
    if earlier.filter(state="refused").count() >= MAX_REFUSED:
        raise Conflict(f"This invitation was refused {MAX_REFUSED} times.", code="invitation.refused")


def _check_pending(project_id: ObjectId, invited: dict[str, Any], actor: Actor) -> None:
    """Raise Conflict (`invitation.too_many`): limits pending invitations."""
    by_actor = Invitation.objects(invited_by=actor.user_id, **invited).waiting()
    if Invitation.objects(project_id=project_id).waiting().count() >= MAX_PENDING:
        raise Conflict(f"At most {MAX_PENDING} invitations can be pending.", code="invitation.too_many")
    if by_actor.count() >= MAX_PENDING_TO_ONE:
        detail = f"At most {MAX_PENDING_TO_ONE} of your invitations to one address or account can be pending."
        raise Conflict(detail, code="invitation.too_many")


def revoke_stored(invitation: Invitation) -> Invitation:
    """Revoke an invitation, and invalidate the token of its mail, in the open transaction."""
    one_time_tokens.invalidate(PURPOSE, invitation.id)
    return invitation.write(state="revoked")


def _token(invitation: Invitation) -> ObjectId | None:
    """Issue the token of the mail to an address. An account that was invited by its id accepts in a session."""
    if not invitation.email:
        return None
    lifetime = timedelta(days=settings.current().invitation_days)
    return one_time_tokens.issue(PURPOSE, invitation.id, lifetime=lifetime, email=invitation.email).id


def _insert(invitation: Invitation) -> Invitation:
    invitation.expires_at = now() + timedelta(days=settings.current().invitation_days)
    try:
        return invitation.save(force_insert=True)
    except NotUniqueError:
        detail = "Another invitation of the same address or account is being made: try again."
        raise Conflict(detail, code="invitation.in_progress") from None
