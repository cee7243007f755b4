"""A login method: `POST /api/v1/x/sample/login/badge`. Sessions, second factors and limits are those of every login."""

import hmac
from typing import Any

from taskmanager.core.errors import Unauthenticated
from taskmanager.features.users.login_methods.service import LoginClaims, LoginMethod
from taskmanager.web.schemas import Email, Line, Schema

SECRET = "open sesame"


class Badge(Schema):
    """What a badge holds."""

    email = Email(required=True)
    code = Line(most=100, required=True, metadata={"title": "Code of the badge", "format": "password"})


def verify(data: dict[str, Any]) -> LoginClaims:
    """Return who it is. Raises Unauthenticated."""
    if not hmac.compare_digest(data["code"], SECRET):
        raise Unauthenticated("This badge is none of ours.", code="auth.invalid_credentials")
    return LoginClaims(subject=data["email"], email=data["email"], email_verified=True, name="Ada")


BADGE = LoginMethod("badge", "Log in by a badge", Badge, verify)
