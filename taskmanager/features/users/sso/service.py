"""Use cases of logins by a login provider (OpenID Connect)."""

from typing import Any

from mongoengine.errors import NotUniqueError

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Forbidden, Unauthenticated
from taskmanager.core.events.log import record
from taskmanager.core.localization import languages
from taskmanager.core.servers import service_state
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.events import IdentityLinked, IdentityUnlinked
from taskmanager.features.users.holdings import Recovery
from taskmanager.features.users.models import Identity, User
from taskmanager.features.users.sessions import service as sessions
from taskmanager.features.users.sessions.service import Login
from taskmanager.features.users.signup import policy
from taskmanager.features.users.sso.refusals import log_refusal


def is_known(claims: dict[str, Any]) -> bool:
    """Return whether a user has logged in as this subject of this issuer before."""
    return _identity(claims) is not None


@unit_of_work
def login(claims: dict[str, Any], *, user_agent: str, address: str) -> Login | str:
    """Start a session for the user in the checked claims of an ID token, or return a ticket for the second step.

    The first login makes an account, or links the account with the address if both sides have confirmed it. An address
    that the provider has not confirmed is not linked: otherwise anyone could claim it there and enter the account of
    its owner. A new account needs an address that the policy of sign-up admits.
    Raises InMaintenance for a first login,
    Forbidden (see `signup.policy.check`), Unauthenticated (`auth.oidc_no_email`, `auth.oidc_unverified`,
    `auth.invalid_credentials`), Conflict (`auth.oidc_email_taken`).
    """
    known = _identity(claims)
    user = User.objects(id=known.user_id).first() if known else _first_login(claims)
    if user is None or user.disabled_at:
        log_refusal("account_disabled", issuer=claims["iss"])
        raise Unauthenticated("This account may not log in.", code="auth.invalid_credentials")
    return sessions.begin(user, user_agent=user_agent, address=address)


def _identity(claims: dict[str, Any]) -> Identity | None:
    return Identity.objects(issuer=claims["iss"], subject=claims["sub"]).first()


@unit_of_work
def recover(recovery: Recovery) -> int:
    """Unlink the identities that an earlier holder of the account linked. Return how many."""
    found = recovery.of_earlier_holder(Identity.objects(user_id=recovery.user.id))
    older = list(found)
    Identity.objects(id__in=[identity.id for identity in older]).delete()
    for identity in older:
        record(IdentityUnlinked(recovery.user, issuer=identity.issuer))
    return len(older)


def _first_login(claims: dict[str, Any]) -> User:
    service_state.check_writable()  # other logins go on in a maintenance; this one makes an account or an identity
    email = claims.get("email")
    if not email:
        log_refusal("missing_claim", claim="email", issuer=claims["iss"])
        raise Unauthenticated("The login provider did not send an address.", code="auth.oidc_no_email")
    if not _is_confirmed(claims.get("email_verified")):
        log_refusal("unverified_email", claim="email_verified", issuer=claims["iss"])
        raise Unauthenticated("Confirm your address at the login provider first.", code="auth.oidc_unverified")
    user = User.objects(email=email).first()
    if user is not None and not user.email_verified_at:
        log_refusal("account_unverified", issuer=claims["iss"])
        detail = "This address has an account that is not confirmed: reset its password first, which confirms it."
        raise Conflict(detail, code="auth.oidc_email_taken")
    if user is None:
        _check_signup(email, claims["iss"])
    return _link(user or _register(email, claims.get("name")), claims)


def _check_signup(email: str, issuer: str) -> None:
    try:
        policy.check(email)
    except Forbidden as error:
        log_refusal("signup_policy", code=error.code, issuer=issuer)
        raise


def _is_confirmed(claim: object) -> bool:
    """Return whether the claim `email_verified` is true. Some providers send text; without it a setting decides."""
    if claim is None:
        return settings.current().oidc_trust_email
    return claim is True or (isinstance(claim, str) and claim.lower() == "true")


def _link(user: User, claims: dict[str, Any]) -> User:
    try:
        Identity(user_id=user.id, issuer=claims["iss"], subject=claims["sub"]).save(force_insert=True)
    except NotUniqueError:
        raise Conflict("Another login of the same user is running: try again.", code="conflict") from None
    record(IdentityLinked(user, issuer=claims["iss"]))
    return user


def _register(email: str, name: object) -> User:
    """Make the account. Characters of `name` that are not printable are removed: providers may send anything."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name) if isinstance(name, str) else ""
    cleaned = " ".join(printable.split())[:200].strip()
    known_as = cleaned or email.split("@")[0]
    return users.create(email, passwords.UNUSABLE, known_as, verified=True, locale=languages.current())
