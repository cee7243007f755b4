"""Further methods of login, which plugins contribute: `POST /api/v1/x/<plugin>/login/<method>`.

A method verifies what a client sends and returns whose it is. All else is as in every login: an account is made or
joined as for a login provider, a second factor is asked for, tries are limited, and the answer is that of
`POST /auth/login`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskmanager.features.users.sessions.service import Login
from taskmanager.features.users.sso import service as identities


@dataclass(frozen=True)
class LoginClaims:
    """Whose login it is. `subject` stands for the user and never changes, whatever address the user has."""

    subject: str
    email: str
    email_verified: bool
    name: str = ""

    def of_issuer(self, issuer: str) -> dict[str, Any]:
        """Return them as the claims of an ID token."""
        personal = {"email": self.email, "email_verified": self.email_verified, "name": self.name}
        return {"iss": issuer, "sub": self.subject} | personal


@dataclass(frozen=True)
class LoginMethod:
    """`schema` is the marshmallow schema of the request body; `verify` takes what it loads.

    `verify` raises Unauthenticated, Unavailable.
    """

    name: str
    title: str
    schema: type[Any]
    verify: Callable[[dict[str, Any]], LoginClaims]

    def issuer(self, plugin: str) -> str:
        """Return what stands for the method in stored identities: no address, so that no login provider is that."""
        return f"urn:taskmanager:x:{plugin}:{self.name}"


def login(method: LoginMethod, plugin: str, data: dict[str, Any], *, user_agent: str, address: str) -> Login | str:
    """Verify what a client sent and start a session, or return a ticket for the second step.

    Raises what the method and `identities.login` raise.
    """
    claims = method.verify(data).of_issuer(method.issuer(plugin))
    return identities.login(claims, user_agent=user_agent, address=address)
