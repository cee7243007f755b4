"""Login methods that plugins contribute: `POST /api/v1/x/<plugin>/login/<method>`.

A method verifies what a client sends and returns the claims of the user. The rest is the same for every login: an
account is made or linked as for a login provider, a second factor is required, attempts are limited, and the response
is that of `POST /auth/login`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskmanager.core.errors import Unauthenticated
from taskmanager.core.text import plain_address
from taskmanager.features.users.sessions.service import Login
from taskmanager.features.users.sso import service as identities


@dataclass(frozen=True)
class LoginClaims:
    """The identity of the user. `subject` never changes, even when the user's address does."""

    subject: str
    email: str
    email_verified: bool
    name: str = ""

    def of_issuer(self, issuer: str) -> dict[str, Any]:
        """Return the claims in the form of an ID token's claims."""
        profile = {"email": plain_address(self.email), "email_verified": self.email_verified, "name": self.name}
        return {"iss": issuer, "sub": self.subject} | profile


class LoginRefused(Unauthenticated):
    """A method refused a login; the words are those of its plugin."""


@dataclass(frozen=True)
class LoginMethod:
    """A way to log in. `schema` is the marshmallow schema of the request body; `verify` takes the loaded body.

    `verify` raises Unauthenticated, Unavailable.
    """

    name: str
    title: str
    schema: type[Any]
    verify: Callable[[dict[str, Any]], LoginClaims]

    def issuer(self, plugin: str) -> str:
        """Return the issuer in stored identities: a URN, which the URL of a login provider can never equal."""
        return f"urn:taskmanager:x:{plugin}:{self.name}"


def login(method: LoginMethod, plugin: str, data: dict[str, Any], *, user_agent: str, address: str) -> Login | str:
    """Verify what a client sent and start a session, or return a ticket for the second step.

    Raises LoginRefused where `method.verify` raises Unauthenticated, its other errors, and those of `identities.login`.
    """
    return identities.login(_verified(method, plugin, data), user_agent=user_agent, address=address)


def _verified(method: LoginMethod, plugin: str, data: dict[str, Any]) -> dict[str, Any]:
    try:
        return method.verify(data).of_issuer(method.issuer(plugin))
    except Unauthenticated as error:
        raise LoginRefused(error.detail, code=error.code, **error.extra) from None
