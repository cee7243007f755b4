"""Routes of the second factor."""

from typing import Any

from flask import Response, request

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.features.users.routes import tokens_of
from taskmanager.features.users.schemas import Tokens
from taskmanager.features.users.second_factor import service as totp
from taskmanager.features.users.second_factor.schemas import (
    RecoveryCodes,
    SecondStep,
    TotpBegin,
    TotpCode,
    TotpEnd,
    TotpSecret,
    TotpStatus,
)
from taskmanager.features.users.sessions import budgets
from taskmanager.web import answers, limits
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint

auth = Blueprint("second_step", __name__, url_prefix="/auth", description="The second step of a login")
me = Blueprint("totp", __name__, url_prefix="/users/me/totp", description="Your second factor")

_secret = limiter.limit(lambda: settings.current().ratelimit_secret, key_func=limits.caller)


@auth.route("/totp", methods=["POST"], public=True, idempotent=False, in_maintenance=True, problems=(401,))
@auth.arguments(SecondStep)
@auth.response(200, Tokens)
@budgets.second_step
def finish_login(data: dict[str, Any]) -> Response:
    """Finish a login with a code

    `ticket` is from the response of `POST /auth/login`; `code` is a code of the authenticator app, or a recovery code.
    Each code works once. 401 `auth.invalid_code`; 429 `auth.locked` after ten wrong codes for the account. A repetition
    has no effect: the ticket and the code are spent. Log in again if the response was lost.
    """
    login = totp.finish_login(**data, user_agent=request.user_agent.string, address=request.remote_addr or "")
    return tokens_of(login)


@me.route("")
@me.response(200, TotpStatus)
def get_totp() -> Response:
    """Get the state of your second factor

    Tells whether the second factor is on, and how many recovery codes are left.
    """
    return answers.data(totp.status(actor=current_actor()))


@me.route("", methods=["POST"])
@me.arguments(TotpBegin)
@me.response(200, TotpSecret)
@_secret
def begin_totp(data: dict[str, Any]) -> Response:
    """Begin to set up a second factor

    It is on after you confirm it with a code. 409 `totp.enabled` when it is on already.
    """
    return answers.data(totp.begin(data["password"], actor=current_actor()))


@me.route("/confirm", methods=["POST"], idempotent=False)
@me.arguments(TotpCode)
@me.response(200, RecoveryCodes)
@_secret
def confirm_totp(data: dict[str, Any]) -> Response:
    """Turn your second factor on

    With a code of the app. Only this response shows the recovery codes. A repetition gets 409 `totp.enabled`; request
    new recovery codes if the response was lost.
    """
    return answers.data({"recovery_codes": totp.confirm(data["code"], actor=current_actor())})


@me.route("/recovery-codes", methods=["POST"], idempotent=False)
@me.arguments(TotpCode)
@me.response(200, RecoveryCodes)
@_secret
def renew_recovery_codes(data: dict[str, Any]) -> Response:
    """Replace your recovery codes

    The old codes become invalid. A repetition needs another code of the app, and makes new recovery codes again.
    """
    return answers.data({"recovery_codes": totp.renew_codes(data["code"], actor=current_actor())})


@me.route("/disable", methods=["POST"], idempotent=False)
@me.arguments(TotpEnd)
@me.response(204)
@_secret
def disable_totp(data: dict[str, Any]) -> Response:
    """Turn your second factor off

    A repetition changes nothing: 409 `totp.not_enabled`.
    """
    totp.disable(data["password"], data["code"], actor=current_actor())
    return answers.nothing()
