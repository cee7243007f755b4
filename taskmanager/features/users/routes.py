"""Routes of accounts and sessions."""

from typing import Any

from flask import Response, request

from taskmanager.core import quotas
from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.features.users import registrations, service as users
from taskmanager.features.users.models import User
from taskmanager.features.users.schemas import (
    USER,
    Credentials,
    Me,
    RefreshRequest,
    Registration,
    Tokens,
    TokensOrTicket,
    UserOut,
    UserPatch,
)
from taskmanager.features.users.sessions import budgets, service as sessions
from taskmanager.web import answers, limits
from taskmanager.web.authentication.actors import current_actor, issue
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query

auth = Blueprint("auth", __name__, url_prefix="/auth", description="Registration, login and sessions")
blp = Blueprint("users", __name__, url_prefix="/users", description="Accounts")


@auth.route("/register", methods=["POST"], public=True, problems=(403,))
@auth.arguments(Registration)
@auth.response(201, UserOut)
@auth.alt_response(202, description="Where addresses must be confirmed, whether or not the address has an account")
@budgets.registration
def register_user(data: dict[str, Any]) -> Response:
    """Make an account

    409 `user.email_taken` when the address has an account already. A mail asks the user to confirm the address. Where
    the operator requires confirmation, the response is always 202, and the mail says whether there was an account.
    Where sign-up is not open: 403 `signup.closed`, `signup.not_invited` or `signup.domain_not_allowed`, the same
    whether or not the address has an account. `GET /info` has the policy.
    """
    if settings.current().require_verified_email:
        registrations.request(**data)
        return answers.accepted()
    return answers.created(users.register(**data), USER, "/users/me")


@auth.route("/login", methods=["POST"], public=True, idempotent=False, in_maintenance=True, problems=(401, 403))
@auth.arguments(Credentials)
@auth.response(200, TokensOrTicket)
@budgets.login_of_address
@budgets.login_of_account
def log_in(data: dict[str, Any]) -> Response:
    """Log in

    Starts a session, and returns tokens, whose `token_type` is `Bearer`. Where the account has a second factor,
    `token_type` is `ticket`, and the response has `second_factor` and a `ticket` instead, which `POST /auth/totp`
    accepts with a code within five minutes. An unknown address and a wrong password get the
    same 401 `auth.invalid_credentials`. A repetition starts another session and has no other effect: a session whose
    tokens were lost expires, or can be ended in the list of sessions.
    """
    started = sessions.login(**data, user_agent=request.user_agent.string, address=request.remote_addr or "")
    return answer_login(started)


@auth.route("/refresh", methods=["POST"], public=True, idempotent=False, in_maintenance=True, problems=(401,))
@auth.arguments(RefreshRequest)
@auth.response(200, Tokens)
@limiter.limit(lambda: settings.current().ratelimit_refresh, key_func=limits.address)
def refresh_tokens(data: dict[str, Any]) -> Response:
    """Spend a refresh token for new tokens

    Each refresh token works once. A second use ends the whole session, except within ten seconds by the same client,
    which gets the same response again: within that time a repetition is harmless.
    """
    return tokens_of(sessions.refresh(data["refresh_token"], user_agent=request.user_agent.string))


@auth.route("/logout", methods=["POST"], idempotent=False, in_maintenance=True)
@auth.response(204)
def log_out() -> Response:
    """End this session

    Its access token is refused from the next request on, and its refresh token is spent. A repetition gets
    401 `auth.session_ended` and changes nothing.
    """
    sessions.logout(actor=current_actor())
    return answers.nothing()


@blp.route("/me", scope="profile")
@blp.arguments(item_query(USER), location="query")
@blp.response(200, Me)
def get_me(query: dict[str, Any]) -> Response:
    """Get your own account, with its quotas

    The response has no `quotas` when the query has `fields`.
    """
    return _me(users.me(actor=current_actor()), query)


@blp.route("/me", methods=["PATCH"], scope="profile")
@blp.arguments(UserPatch, content_type="application/merge-patch+json")
@blp.response(200, Me)
def update_me(changes: dict[str, Any]) -> Response:
    """Change your own account

    JSON Merge Patch: what is absent stays. The time zone decides when your days begin.
    """
    return _me(users.update_me(changes, if_match=if_match(), actor=current_actor()), {})


def _me(user: User, query: dict[str, Any]) -> Response:
    used = users.use_of_quotas(user, actor=current_actor())
    embedded = None if query.get("fields") else {"quotas": quotas.described(used, user.id)}
    return answers.resource(user, USER, query, embedded=embedded)


def answer_login(started: sessions.Login | str) -> Response:
    """Return the response to a login: tokens, or the ticket for the second step."""
    return tokens_of(started) if isinstance(started, sessions.Login) else _ticket_of(started)


def _ticket_of(ticket: str) -> Response:
    seconds = int(sessions.TICKET_LIFETIME.total_seconds())
    return answers.data({"token_type": "ticket", "second_factor": "totp", "ticket": ticket, "expires_in": seconds})


def tokens_of(login: sessions.Login) -> Response:
    """Return the response with the tokens of a session."""
    return answers.data(
        {
            "access_token": issue(login.user.id, login.session.id),
            "refresh_token": login.refresh_token,
            "token_type": "Bearer",
            "expires_in": settings.current().access_token_minutes * 60,
        }
    )
