"""Use cases of people whom a login provider (OpenID Connect) vouches for."""

from typing import Any

from mongoengine.errors import NotUniqueError

from taskmanager.core.errors import Conflict, Unauthenticated
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.users import passwords, sessions
from taskmanager.features.users import service as users
from taskmanager.features.users.events import IdentityLinked
from taskmanager.features.users.models import Identity, User
from taskmanager.features.users.sessions import Login


@unit_of_work
def login(claims: dict[str, Any], *, user_agent: str, address: str) -> Login | str:
    """Start a session, or answer a ticket for the second step, for whom the checked claims of an ID token name.

    The first login makes an account, or joins the one that has the address if both sides have confirmed it.
    Raises Unauthenticated (`auth.oidc_no_email`, `auth.invalid_credentials`), Conflict (`auth.oidc_email_taken`).
    """
    known = Identity.objects(issuer=claims["iss"], subject=claims["sub"]).first()
    user = User.objects(id=known.user_id).first() if known else _first_login(claims)
    if user is None or user.disabled_at:
        raise Unauthenticated("This account may not log in.", code="auth.invalid_credentials")
    return sessions.begin(user, user_agent=user_agent, address=address)


def _first_login(claims: dict[str, Any]) -> User:
    email = str(claims.get("email") or "").lower()
    if not email:
        raise Unauthenticated("The login provider does not tell an address.", code="auth.oidc_no_email")
    verified = claims.get("email_verified") is True
    user = User.objects(email=email).first()
    if user is not None and not (verified and user.email_verified_at):
        detail = "This address has an account: log in with its password, and confirm the address on both sides first."
        raise Conflict(detail, code="auth.oidc_email_taken")
    return _link(user or _register(email, claims, verified=verified), claims)


def _link(user: User, claims: dict[str, Any]) -> User:
    try:
        Identity(user_id=user.id, issuer=claims["iss"], subject=claims["sub"]).save(force_insert=True)
    except NotUniqueError:
        raise Conflict("Another login of the same person is running: try again.", code="conflict") from None
    record(IdentityLinked(user, issuer=claims["iss"]))
    return user


def _register(email: str, claims: dict[str, Any], *, verified: bool) -> User:
    name = " ".join(str(claims.get("name") or email.split("@")[0]).split())[:200]
    return users.create(email, passwords.UNUSABLE, name, verified=verified)
