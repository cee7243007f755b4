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

    The first login makes an account, or joins the one that has the address if both sides have confirmed it. An
    address that the provider has not confirmed is nobody's: who could claim it would wait in its owner's account.
    Raises Unauthenticated (`auth.oidc_no_email`, `auth.oidc_unverified`, `auth.invalid_credentials`), Conflict
    (`auth.oidc_email_taken`).
    """
    known = Identity.objects(issuer=claims["iss"], subject=claims["sub"]).first()
    user = User.objects(id=known.user_id).first() if known else _first_login(claims)
    if user is None or user.disabled_at:
        raise Unauthenticated("This account may not log in.", code="auth.invalid_credentials")
    return sessions.begin(user, user_agent=user_agent, address=address)


def _first_login(claims: dict[str, Any]) -> User:
    email = claims.get("email")
    if not email:
        raise Unauthenticated("The login provider does not tell an address.", code="auth.oidc_no_email")
    if claims.get("email_verified") is not True:
        raise Unauthenticated("Confirm your address at the login provider first.", code="auth.oidc_unverified")
    user = User.objects(email=email).first()
    if user is not None and not user.email_verified_at:
        detail = "This address has an account: log in with its password, and confirm the address first."
        raise Conflict(detail, code="auth.oidc_email_taken")
    return _link(user or _register(email, claims.get("name")), claims)


def _link(user: User, claims: dict[str, Any]) -> User:
    try:
        Identity(user_id=user.id, issuer=claims["iss"], subject=claims["sub"]).save(force_insert=True)
    except NotUniqueError:
        raise Conflict("Another login of the same person is running: try again.", code="conflict") from None
    record(IdentityLinked(user, issuer=claims["iss"]))
    return user


def _register(email: str, name: Any) -> User:
    """Names of providers may hold anything: what cannot be shown is left out."""
    shown = "".join(letter if letter.isprintable() else " " for letter in name) if isinstance(name, str) else ""
    words = " ".join(shown.split())[:200].strip()
    return users.create(email, passwords.UNUSABLE, words or email.split("@")[0], verified=True)
