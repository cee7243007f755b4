"""Use cases of invitations, for invited users.

Users accept or refuse with the token of the mail, or in a session of an account with a confirmed address. Acceptance
checks again that the project is not deleted and that the inviter may still give the role.
"""

from collections.abc import Sequence

from bson import ObjectId

from taskmanager.core.errors import Forbidden, NotFound, TokenInvalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import InvitationAccepted, InvitationRefused, MemberChanged
from taskmanager.features.projects.invitations.service import PURPOSE
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Invitation, Membership, Project, check_room_of_owner
from taskmanager.features.projects.permissions import ProjectAction, at_least
from taskmanager.features.users import one_time_tokens, service as users

_MAX_COMPARED = 20  # invitations to one address: most of them are valid


@unit_of_work
def accept(token: str, *, actor: Actor) -> Row:
    """Join a project with the token of the mail, which confirms the actor's address. Return the membership.

    Raises TokenInvalid; Forbidden (`invitation.other_address`), after which the token is still valid.
    """
    invitation = _by_token(token)
    if users.me(actor=actor).email != invitation.email:
        raise Forbidden("This invitation is for another address than yours.", code="invitation.other_address")
    if not _is_authorized(invitation):
        raise TokenInvalid
    users.confirm_address(actor.user_id, invitation.email)
    return _join(invitation, actor)


def by_token(token: str) -> Row:
    """Return the pending invitation of a mail's token, with names and the invited `email`. Raises TokenInvalid.

    The token is not spent.
    """
    known = one_time_tokens.read(PURPOSE, token)
    invitation = known and Invitation.objects(id=known.subject_id).waiting().first()
    if invitation is None or not Project.objects(id=invitation.project_id).alive().first():
        raise TokenInvalid
    return _with_names([invitation.as_row()])[0]


@unit_of_work
def refuse(token: str) -> None:
    """Refuse an invitation with the token of the mail, without an account. Raises TokenInvalid."""
    _decline(_by_token(token), None)


@unit_of_work
def accept_own(invitation_id: ObjectId, *, actor: Actor) -> Row:
    """Accept one of the actor's invitations. Return the membership. Raises NotFound."""
    invitation = _own(invitation_id, actor)
    one_time_tokens.invalidate(PURPOSE, invitation.id)
    return _join(invitation, actor)


@unit_of_work
def refuse_own(invitation_id: ObjectId, *, actor: Actor) -> None:
    """Refuse one of the actor's invitations. Raises NotFound."""
    invitation = _own(invitation_id, actor)
    one_time_tokens.invalidate(PURPOSE, invitation.id)
    _decline(invitation, actor)


def visible(actor: Actor) -> Described:
    """Return the actor's pending invitations with names; those by address only if the address is confirmed."""
    return Described(_waiting(actor), _with_names, needed=("project_id", "invited_by"))


def is_invited(email: str) -> bool:
    """Return whether a valid invitation to this address is pending: one that its owner could accept now."""
    waiting = Invitation.objects(email=email).waiting().order_by("-id").limit(_MAX_COMPARED)
    return any(
        Project.objects(id=invitation.project_id).alive().first() is not None and _is_authorized(invitation)
        for invitation in waiting
    )


def _by_token(token: str) -> Invitation:
    """Spend a token and return its invitation. Raises TokenInvalid."""
    spent = one_time_tokens.spend(PURPOSE, token)
    invitation = Invitation.objects(id=spent.subject_id).waiting().first()
    if invitation is None or not Project.objects(id=invitation.project_id).alive().first():
        raise TokenInvalid
    return invitation


def _own(invitation_id: ObjectId, actor: Actor) -> Invitation:
    invitation: Invitation = _waiting(actor).one(invitation_id)
    if not _is_authorized(invitation):
        raise NotFound
    return invitation


def _waiting(actor: Actor) -> BaseQuerySet:
    """Return the pending invitations to the actor's id and to their confirmed address, of projects not deleted.

    An unconfirmed address does not count: users can register any address.
    """
    me = users.me(actor=actor)
    invited = [{"user_id": me.id}, *([{"email": me.email}] if me.email_verified_at else [])]
    waiting = Invitation.objects(__raw__={"$or": invited}).waiting()
    project_ids = waiting.distinct("project_id")
    return waiting.filter(project_id__in=list(Project.objects(id__in=project_ids).alive().scalar("id")))


def _is_authorized(invitation: Invitation) -> bool:
    """Return whether the inviter may still give the role, is active, and was not recovered since."""
    inviter = Membership.objects(project_id=invitation.project_id, user_id=invitation.invited_by).first()
    if inviter is None or not users.stands_for(inviter.user_id, invitation.created_at):
        return False
    return at_least(ProjectAction.MANAGE_MEMBERS.least, inviter.role) and at_least(invitation.role, inviter.role)


def _join(invitation: Invitation, actor: Actor) -> Row:
    membership = _membership(invitation, actor)
    record(InvitationAccepted(invitation.write(state="accepted"), actor))
    for other in _others_of(invitation, actor):
        one_time_tokens.invalidate(PURPOSE, other.id)
        other.write(state="revoked")
    return members.with_profiles([membership.as_row()])[0]


def _membership(invitation: Invitation, actor: Actor) -> Membership:
    """Return the actor's membership: a new one, or the present one with the higher of the two roles."""
    key = {"project_id": invitation.project_id, "user_id": actor.user_id}
    known = Membership.objects(**key).first()
    if known is not None and at_least(invitation.role, known.role):
        return known
    if known is not None:
        if invitation.role == "owner":
            check_room_of_owner(actor.user_id)
        changes = known.differences({"role": invitation.role})
        known = known.write(role=invitation.role)
        users.raise_access_versions([actor.user_id])
        record(MemberChanged(known, actor, changes))
        return known
    return members.join(**key, role=invitation.role, actor=actor)


def _others_of(invitation: Invitation, actor: Actor) -> list[Invitation]:
    """Return the actor's other invitations to the project: there may be one to the address and one to the id."""
    return list(_waiting(actor).filter(project_id=invitation.project_id, id__ne=invitation.id))


def _decline(invitation: Invitation, actor: Actor | None) -> None:
    record(InvitationRefused(invitation.write(state="refused"), actor))


def _with_names(rows: Sequence[Row]) -> list[Row]:
    """Return rows with the names of project and inviter, without addresses: the invited user is not a member yet."""
    profiles = users.public_profiles({row["invited_by"] for row in rows})
    names = dict(Project.objects(id__in=[row["project_id"] for row in rows]).scalar("id", "name"))
    return [
        {
            **row,
            "project_name": names.get(row["project_id"]),
            "inviter_name": profiles.get(row["invited_by"], {}).get("name"),
        }
        for row in rows
    ]
