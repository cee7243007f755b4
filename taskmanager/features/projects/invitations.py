"""Use cases of invitations, for those who invite.

Whether an address has an account, or belongs to a member already, makes no difference to any answer.
"""

from datetime import timedelta
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import settings
from taskmanager.core.access import Actor
from taskmanager.core.clock import now
from taskmanager.core.documents import Expected
from taskmanager.core.errors import Conflict, NotFound
from taskmanager.core.events import record
from taskmanager.core.permissions import authorize
from taskmanager.core.querysets import Order, Page, Row
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.projects import members
from taskmanager.features.projects.events import InvitationCreated, InvitationRevoked
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.users import one_time

PURPOSE = "invitation"  # of the one-time tokens
MOST_PENDING = 100  # of one project


@unit_of_work
def create(project_id: ObjectId, *, email: str, role: str, actor: Actor) -> Invitation:
    """Invite the owner of an address, instead of an earlier invitation to him; a mail carries the token.

    Raises NotFound, Forbidden, Conflict (`invitation.too_many`, `invitation.in_progress`).
    """
    _authorized(project_id, actor)
    members.may_give(actor, project_id, role)
    for earlier in Invitation.objects(project_id=project_id, email=email.lower(), state="pending"):
        _revoke(earlier)
    if Invitation.objects(project_id=project_id).waiting().count() >= MOST_PENDING:
        raise Conflict(f"At most {MOST_PENDING} invitations can wait for an answer.", code="invitation.too_many")
    invitation = _stored(Invitation(project_id=project_id, email=email.lower(), role=role, invited_by=actor.user_id))
    lifetime = timedelta(days=settings.current().invitation_days)
    token = one_time.issue(PURPOSE, invitation.id, lifetime=lifetime, email=invitation.email)
    record(InvitationCreated(invitation, actor, token_id=token.id))
    return invitation


def get(project_id: ObjectId, invitation_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """One invitation to the project. Raises NotFound, Forbidden."""
    _authorized(project_id, actor)
    return Invitation.objects(project_id=project_id).row(invitation_id, fields)


def find(project_id: ObjectId, order: Order, limit: int, *, actor: Actor, **page: Any) -> Page:
    """A page of the project's invitations, answered ones too. Raises NotFound, Forbidden."""
    _authorized(project_id, actor)
    return Invitation.objects(project_id=project_id).page(order, limit, **page)


def total(project_id: ObjectId, *, actor: Actor) -> Any:
    """How many invitations `find` would go through. Raises NotFound, Forbidden."""
    _authorized(project_id, actor)
    return Invitation.objects(project_id=project_id).total()


@unit_of_work
def revoke(project_id: ObjectId, invitation_id: ObjectId, *, expected: Expected, actor: Actor) -> None:
    """Take an invitation back. Raises NotFound, Forbidden, PreconditionFailed, Conflict (`invitation.answered`)."""
    _authorized(project_id, actor)
    invitation = Invitation.objects(id=invitation_id, project_id=project_id).first()
    if invitation is None:
        raise NotFound
    invitation.expect(expected)
    if invitation.state != "pending":
        raise Conflict("This invitation was answered or taken back already.", code="invitation.answered")
    record(InvitationRevoked(_revoke(invitation), actor))


def _authorized(project_id: ObjectId, actor: Actor) -> None:
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.MANAGE_MEMBERS, project)


def _revoke(invitation: Invitation) -> Invitation:
    one_time.withdraw(PURPOSE, invitation.id)
    return invitation.write(state="revoked")


def _stored(invitation: Invitation) -> Invitation:
    invitation.expires_at = now() + timedelta(days=settings.current().invitation_days)
    try:
        return invitation.save(force_insert=True)
    except NotUniqueError:
        detail = "Somebody invites this address at the same moment: try again."
        raise Conflict(detail, code="invitation.in_progress") from None
