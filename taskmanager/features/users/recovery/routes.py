"""Routes of addresses and passwords, and of the user's own sessions."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.features.users.recovery import service as recovery
from taskmanager.features.users.schemas import (
    SESSION,
    AddressRequest,
    EmailChange,
    EmailChangeOut,
    PasswordChange,
    PasswordReset,
    SessionOut,
    SessionsEnd,
    TokenRequest,
)
from taskmanager.features.users.sessions import budgets, service as sessions
from taskmanager.web import answers, limits
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of

auth = Blueprint("recovery", __name__, url_prefix="/auth", description="Confirming addresses, resetting passwords")
me = Blueprint("account", __name__, url_prefix="/users/me", description="Your password, address and sessions")

_secret = limiter.limit(lambda: settings.current().ratelimit_secret, key_func=limits.caller)


@auth.route("/verify-email", methods=["POST"], public=True, problems=(404,))
@auth.arguments(TokenRequest)
@auth.response(204)
@budgets.one_time_token
def verify_email(data: dict[str, Any]) -> Response:
    """Confirm an address

    With the token from the mail, which works once. 404 `token.invalid` when the token is not valid.
    """
    recovery.verify_email(data["token"])
    return answers.nothing()


@auth.route("/verify-email/request", methods=["POST"], public=True)
@auth.arguments(AddressRequest)
@auth.response(202)
@budgets.mail_of_address
@budgets.mail_of_account
def request_verification(data: dict[str, Any]) -> Response:
    """Request another mail to confirm an address

    The response is the same whether or not there is an account to confirm.
    """
    recovery.request_verification(data["email"])
    return answers.accepted()


@auth.route("/password-reset", methods=["POST"], public=True)
@auth.arguments(AddressRequest)
@auth.response(202)
@budgets.mail_of_address
@budgets.mail_of_account
def request_password_reset(data: dict[str, Any]) -> Response:
    """Request a mail to set a new password

    The response is the same whether or not the address has an account.
    """
    recovery.request_reset(data["email"])
    return answers.accepted()


@auth.route("/password-reset/confirm", methods=["POST"], public=True, problems=(404,))
@auth.arguments(PasswordReset)
@auth.response(204)
@budgets.one_time_token
def reset_password(data: dict[str, Any]) -> Response:
    """Set a new password

    With the token from the mail, which works once. All sessions, API tokens, share links and open invitations of the
    account end, a pending change of address is cancelled, its phone number is deleted and its webhooks are disabled.
    Anything set up before the address was confirmed is deleted, including a second factor and webhooks.
    """
    recovery.reset_password(data["token"], data["password"])
    return answers.nothing()


@me.route("/password", methods=["POST"])
@me.arguments(PasswordChange)
@me.response(204)
@_secret
def change_password(data: dict[str, Any]) -> Response:
    """Change your password

    All your other sessions end. 403 `auth.wrong_password` when the present password is wrong.
    """
    recovery.change_password(data["current_password"], data["new_password"], actor=current_actor())
    return answers.nothing()


@me.route("/email", methods=["POST"])
@me.arguments(EmailChange)
@me.response(202)
@_secret
def request_email_change(data: dict[str, Any]) -> Response:
    """Change your address

    Both addresses get a mail, and both must confirm. An old address that was never confirmed need not, unless it is
    confirmed before the change. Where sign-up admits only some addresses, the new one must be among them: 403
    `signup.not_invited` or `signup.domain_not_allowed`, the same whether or not it has an account.
    """
    recovery.request_email_change(data["email"], data["password"], actor=current_actor())
    return answers.accepted()


@me.route("/email/confirm", methods=["POST"], public=True, problems=(404, 409))
@me.arguments(TokenRequest)
@me.response(200, EmailChangeOut)
@budgets.one_time_token
def confirm_email_change(data: dict[str, Any]) -> Response:
    """Confirm a change of address

    With the token from the mail, which works once; no login is needed. 409 `user.email_taken` when another account
    has the address by now.
    """
    return answers.data({"changed": recovery.confirm_email_change(data["token"])})


@me.route("/sessions")
@me.arguments(list_query(SESSION, {"created_at": "created_at"}), location="query")
@me.response(200, page_of(SessionOut))
def list_sessions(query: dict[str, Any]) -> Response:
    """List your sessions

    Each login on a device is a session, until it is ended or expires. `current` marks that of this request.
    """
    return answers.listing(query, SESSION, sessions.visible(current_actor()))


@me.route("/sessions/end", methods=["POST"], in_maintenance=True)
@me.arguments(SessionsEnd)
@me.response(204)
def end_sessions(data: dict[str, Any]) -> Response:
    """End all your sessions

    Their access tokens are refused from the next request on.
    """
    sessions.end_own(except_current=data["except_current"], actor=current_actor())
    return answers.nothing()


@me.route("/sessions/<objectid:session_id>")
@me.arguments(item_query(SESSION), location="query")
@me.response(200, SessionOut)
def get_session(query: dict[str, Any], session_id: ObjectId) -> Response:
    """Get one of your sessions

    One login on one device; `current` tells whether it is that of this request.
    """
    return answers.resource(sessions.get(session_id, actor=current_actor()), SESSION, query)


@me.route("/sessions/<objectid:session_id>", methods=["DELETE"], in_maintenance=True)
@me.response(204)
def end_session(session_id: ObjectId) -> Response:
    """End one of your sessions

    Its access token is refused from the next request on.
    """
    sessions.end(session_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()
