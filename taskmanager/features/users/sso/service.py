"""Use cases of people whom a login provider (OpenID Connect) vouches for."""

from typing import Any

from mongoengine.errors import NotUniqueError

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Unauthenticated
from taskmanager.core.events.log import record
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.events import IdentityLinked, IdentityUnlinked
from taskmanager.features.users.holdings import Recovery
from taskmanager.features.users.models import Identity, User
from taskmanager.features.users.sessions import service as sessions
from taskmanager.features.users.sessions.service import Login
from taskmanager.features.users.sso import refusals as oidc_refusals


def is_known(claims: dict[str, Any]) -> bool:
    """Return whether a user has logged in as this subject of this issuer before."""
    return _identity(claims) is not None


@unit_of_work
def login(claims: dict[str, Any], *, user_agent: str, address: str) -> Login | str:
    """Start a session, or answer a ticket for the second step, for whom the checked claims of an ID token name.

    The first login makes an account, or joins the one that has the address if both sides have confirmed it. An
    address that the provider has not confirmed joins no account: who could claim it would wait in its owner's account.
    Raises Unauthenticated (`auth.oidc_no_email`, `auth.oidc_unverified`, `auth.invalid_credentials`), Conflict
    (`auth.oidc_email_taken`).
    """
    known = _identity(claims)
    user = User.objects(id=known.user_id).first() if known else _first_login(claims)
    if user is None or user.disabled_at:
        oidc_refusals.refused("account_disabled", issuer=claims["iss"])
        raise Unauthenticated("This account may not log in.", code="auth.invalid_credentials")
    return sessions.begin(user, user_agent=user_agent, address=address)


def _identity(claims: dict[str, Any]) -> Identity | None:
    return Identity.objects(issuer=claims["iss"], subject=claims["sub"]).first()


@unit_of_work
def recover(recovery: Recovery) -> int:
    """Unlink the logins by a provider that an earlier holder of the account linked. Return how many."""
    found = recovery.of_earlier_holder(Identity.objects(user_id=recovery.user.id))
    older = list(found)
    Identity.objects(id__in=[identity.id for identity in older]).delete()
    for identity in older:
        record(IdentityUnlinked(recovery.user, issuer=identity.issuer))
    return len(older)


def _first_login(claims: dict[str, Any]) -> User:
    email = claims.get("email")
    if not email:
        oidc_refusals.refused("missing_claim", claim="email", issuer=claims["iss"])
        raise Unauthenticated("The login provider does not tell an address.", code="auth.oidc_no_email")
    if not _is_confirmed(claims.get("email_verified")):
        oidc_refusals.refused("unverified_email", claim="email_verified", issuer=claims["iss"])
        raise Unauthenticated("Confirm your address at the login provider first.", code="auth.oidc_unverified")
    user = User.objects(email=email).first()
    if user is not None and not user.email_verified_at:
        oidc_refusals.refused("account_unverified", issuer=claims["iss"])
        detail = "This address has an account that is not confirmed: reset its password first, which confirms it."
        raise Conflict(detail, code="auth.oidc_email_taken")
    return _link(user or _register(email, claims.get("name")), claims)


def _is_confirmed(word: Any) -> bool:
    """Return whether the provider vouches for the address. Some send text; some say nothing, which a setting trusts."""
    if word is None:
        return settings.current().oidc_trust_email
    return word is True or (isinstance(word, str) and word.lower() == "true")


def _link(user: User, claims: dict[str, Any]) -> User:
    try:
        Identity(user_id=user.id, issuer=claims["iss"], subject=claims["sub"]).save(force_insert=True)
    except NotUniqueError:
        raise Conflict("Another login of the same person is running: try again.", code="conflict") from None
    record(IdentityLinked(user, issuer=claims["iss"]))
    return user


def _register(email: str, name: Any) -> User:
    """Return names of providers may hold anything: what cannot be shown is left out."""
    shown = "".join(letter if letter.isprintable() else " " for letter in name) if isinstance(name, str) else ""
    words = " ".join(shown.split())[:200].strip()
    return users.create(email, passwords.UNUSABLE, words or email.split("@")[0], verified=True)
