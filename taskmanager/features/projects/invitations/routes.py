"""Routes of invitations: those of a project, for inviters, and your own, which need a session."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects.budgets import accepted_invitations, invites, refused_invitations
from taskmanager.features.projects.invitations import invited, service as invitations
from taskmanager.features.projects.invitations.schemas import (
    INVITATION,
    WAITING,
    InvitationIn,
    InvitationOut,
    InvitationToken,
    WaitingOut,
)
from taskmanager.features.projects.schemas import MEMBER, MemberOut
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of

sent = Blueprint(
    "invitations", __name__, scope="members", url_prefix="/projects", description="Invitations to a project"
)
received = Blueprint("my_invitations", __name__, url_prefix="/invitations", description="Invitations that you received")

_ORDERS = {"created_at": "created_at"}


@sent.route("/<objectid:project_id>/invitations", methods=["POST"])
@sent.arguments(InvitationIn)
@sent.response(201, InvitationOut)
@invites
def create_invitation(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Invite the owner of an address

    They get a mail, with or without an account; the response is the same. It replaces an earlier invitation of the
    address to this project. Needs the role manager; members give no role above their own, and an API token does not
    give the role owner. 409 `member.exists`; 409 `invitation.too_many` when 100 are pending, or ten of yours to this
    address; 409 `invitation.refused` after three refusals; 429 `invitation.too_often` after five in a week.
    """
    invitation = invitations.create(project_id, **data, actor=current_actor())
    return answers.created(invitation, INVITATION, f"/projects/{project_id}/invitations/{invitation.id}")


@sent.route("/<objectid:project_id>/invitations")
@sent.arguments(list_query(INVITATION, _ORDERS), location="query")
@sent.response(200, page_of(InvitationOut))
def list_invitations(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the invitations to a project

    Also accepted, refused, revoked and expired ones, for some weeks. Needs the role manager.
    """
    return answers.listing(query, INVITATION, invitations.visible(project_id, current_actor()))


@sent.route("/<objectid:project_id>/invitations/<objectid:invitation_id>")
@sent.arguments(item_query(INVITATION), location="query")
@sent.response(200, InvitationOut)
def get_invitation(query: dict[str, Any], project_id: ObjectId, invitation_id: ObjectId) -> Response:
    """Get one invitation

    Needs the role manager. `state` tells whether it was accepted, refused or revoked.
    """
    fields = INVITATION.stored(query.get("fields"))
    row = invitations.get(project_id, invitation_id, actor=current_actor(), fields=fields)
    return answers.resource(row, INVITATION, query)


@sent.route("/<objectid:project_id>/invitations/<objectid:invitation_id>", methods=["DELETE"])
@sent.response(204)
def revoke_invitation(project_id: ObjectId, invitation_id: ObjectId) -> Response:
    """Revoke an invitation

    409 `invitation.answered` when it is no longer pending.
    """
    invitations.revoke(project_id, invitation_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@received.route("")
@received.arguments(list_query(WAITING, _ORDERS), location="query")
@received.response(200, page_of(WaitingOut))
def list_my_invitations(query: dict[str, Any]) -> Response:
    """List your pending invitations

    Those to your id, and, if your address is confirmed, those to your address.
    """
    return answers.listing(query, WAITING, invited.visible(current_actor()))


@received.route("/<objectid:invitation_id>/accept", methods=["POST"])
@received.response(200, MemberOut)
def accept_my_invitation(invitation_id: ObjectId) -> Response:
    """Accept an invitation

    You become a member of its project; if you are a member already, you keep the higher of the two roles.
    """
    return answers.resource(invited.accept_own(invitation_id, actor=current_actor()), MEMBER)


@received.route("/<objectid:invitation_id>/refuse", methods=["POST"])
@received.response(204)
def refuse_my_invitation(invitation_id: ObjectId) -> Response:
    """Refuse an invitation

    The project learns of the refusal. After several refusals it cannot invite you again.
    """
    invited.refuse_own(invitation_id, actor=current_actor())
    return answers.nothing()


@received.route("/accept", methods=["POST"], problems=(404,))
@received.arguments(InvitationToken)
@received.response(200, MemberOut)
@accepted_invitations
def accept_invitation(data: dict[str, Any]) -> Response:
    """Accept an invitation with the token of the mail

    Your account must have the address that was invited: otherwise 403 `invitation.other_address`, and the token stays
    valid. This confirms your address. 404 `token.invalid` when the token was used, has expired or was revoked.
    """
    return answers.resource(invited.accept(data["token"], actor=current_actor()), MEMBER)


@received.route("/refuse", methods=["POST"], public=True, problems=(404,))
@received.arguments(InvitationToken)
@received.response(204)
@refused_invitations
def refuse_invitation(data: dict[str, Any]) -> Response:
    """Refuse an invitation with the token of the mail

    No account is needed. 404 `token.invalid` when the token was used, has expired or was revoked.
    """
    invited.refuse(data["token"])
    return answers.nothing()
