"""The rate limits of invitations, shared by the routes and pages that send or answer them."""

from flask import Response

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.web import limits


def _invited(response: Response) -> bool:
    return response.status_code < 300 and (response.status_code == 202 or response.location.find("/invitations/") > 0)


invites = limiter.shared_limit(
    lambda: settings.current().ratelimit_invite, scope="invitations", key_func=limits.caller, deduct_when=_invited
)
accepted_invitations = limiter.shared_limit(
    lambda: settings.current().ratelimit_invitation, scope="accepted invitations", key_func=limits.caller
)
refused_invitations = limiter.shared_limit(
    lambda: settings.current().ratelimit_invitation, scope="refused invitations", key_func=limits.address
)
