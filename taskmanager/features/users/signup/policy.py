"""The policy of sign-up: whose address may get an account, unless an administrator makes it.

The policy is asked before any account is looked up, so a refusal is the same whether or not the address has an account.
"""

from collections.abc import Callable
from dataclasses import dataclass

from taskmanager.core.configuration import domains, settings
from taskmanager.core.errors import Forbidden

CLOSED = ("signup.closed", "Accounts are made by the administrators of this service.")
NOT_INVITED = ("signup.not_invited", "Accounts are made by invitation only: ask a member of a project to invite you.")
OTHER_DOMAIN = (
    "signup.domain_not_allowed",
    "Addresses of this domain need an invitation: use an address of your organization, or ask to be invited.",
)


@dataclass
class Loaders:
    """What a higher feature knows: `app.py` sets it."""

    is_invited: Callable[[str], bool] = lambda _email: False


loaders = Loaders()


def check(email: str) -> None:
    """Raise Forbidden unless the policy admits this address, which is in the form that accounts store.

    The codes are `signup.closed`, `signup.not_invited` and `signup.domain_not_allowed`.
    """
    policy = settings.current().signup_policy
    if policy == "open" or (policy == "domains" and _domain_is_named(email)):
        return
    if policy == "closed":
        raise _refusal(CLOSED)
    if not loaders.is_invited(email):
        raise _refusal(OTHER_DOMAIN if policy == "domains" else NOT_INVITED)


def is_closed() -> bool:
    """Return whether only administrators make accounts."""
    return settings.current().signup_policy == "closed"


def check_change(email: str) -> None:
    """Raise Forbidden unless the policy admits this new address of an account; closed sign-up is about new accounts."""
    if not is_closed():
        check(email)


def _domain_is_named(email: str) -> bool:
    """Return whether the domain itself is in the list: a subdomain is another domain."""
    return email.rpartition("@")[2] in domains.parse(settings.current().signup_domains)


def _refusal(reason: tuple[str, str]) -> Forbidden:
    code, detail = reason
    return Forbidden(detail, code=code)
