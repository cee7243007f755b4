"""The page of an invitation: accept it, after a login or registration, or refuse it without."""

from urllib.parse import urlencode

from bson import ObjectId
from flask import Response, request

from taskmanager.core.errors import NotFound, TokenInvalid
from taskmanager.core.localization.languages import gettext
from taskmanager.core.storage.orders import Row
from taskmanager.features.projects.budgets import accepted_invitations, refused_invitations
from taskmanager.features.projects.invitations import invited
from taskmanager.features.users import service as users
from taskmanager.features.users.signup import policy
from taskmanager.pages import cookies, forms, rendering
from taskmanager.pages.blueprint import here, page, redirect
from taskmanager.web.authentication.actors import current_actor

_ONE = "/invitations/<objectid:invitation_id>"


@page(_ONE, public=True)
def show(invitation_id: ObjectId) -> Response:
    """Return the invitation of a token, or one of the user who is logged in."""
    token, actor = _token(), cookies.actor()
    if not token and not actor:
        return redirect(f"/pages/login?{urlencode({'next': here()})}")
    try:
        invitation = _by_token(invitation_id, token) if token else invited.visible(current_actor()).row(invitation_id)
    except NotFound:
        return _ended()
    own = users.me(actor=actor).email if actor else None
    fits = not token or own == invitation["email"]
    then = urlencode({"next": here(), "email": invitation.get("email") or ""})
    who = {"token": token, "own": own, "fits": fits, "closed": policy.is_closed()}
    return rendering.render("invitation.html", 200, invitation=invitation, then=then, here=here(), **who)


@page(f"{_ONE}/accept", methods=("POST",))
def accept(invitation_id: ObjectId) -> Response:
    """Accept an invitation, and go to its project."""
    try:
        membership = _accept(invitation_id, _token())
    except NotFound:
        return _ended()
    return redirect(f"/pages/projects/{membership['project_id']}")


@page(f"{_ONE}/refuse", methods=("POST",), public=True)
def refuse(invitation_id: ObjectId) -> Response:
    """Refuse an invitation; with a token no login is needed."""
    try:
        _refuse(invitation_id, _token())
    except NotFound:
        return _ended()
    return forms.tell(gettext("The invitation is refused"), gettext("You will not hear of it again."))


@accepted_invitations
def _accept(invitation_id: ObjectId, token: str) -> Row:
    actor = current_actor()
    return invited.accept(token, actor=actor) if token else invited.accept_own(invitation_id, actor=actor)


@refused_invitations
def _refuse(invitation_id: ObjectId, token: str) -> None:
    if token:
        invited.refuse(token)
    else:
        invited.refuse_own(invitation_id, actor=current_actor())


def _by_token(invitation_id: ObjectId, token: str) -> Row:
    invitation = invited.by_token(token)
    if invitation["_id"] != invitation_id:
        raise TokenInvalid
    return invitation


def _ended() -> Response:
    text = gettext("It was answered already, has expired, was revoked, or is for another account.")
    again = gettext("Ask the person who invited you for a new one.")
    return forms.tell(
        gettext("This invitation is not open"), text, again, links=((gettext("Start page"), ""),), status=404
    )


def _token() -> str:
    return request.values.get("token", "")[:300]
