"""Notices about invitations: a mail to the invited address, and a notice to the invited account."""

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Event
from taskmanager.features.notifications.content.quoting import inline, one_line
from taskmanager.features.notifications.content.registry import Notice, writes
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.users import one_time_tokens, service as users
from taskmanager.features.users.one_time_tokens import OneTimeToken

KIND = "project.invited"


@writes("invitation.created")
def invited(event: Event) -> list[Notice]:
    """Notify the invited address, in the same way with and without an account, and the account that may accept.

    The notice to the account has no `project_id`: users do not see notices of projects that they may not see.
    """
    invitation = Invitation.objects(id=event.subject_id).waiting().first()
    project = invitation and Project.objects(id=invitation.project_id).alive().first()
    if not (invitation and project):
        return []
    by = one_line(users.public_profiles([invitation.invited_by]).get(invitation.invited_by, {}).get("name", "Someone"))
    name = one_line(project.name)
    return [*_by_mail(event, invitation, by, name), *_in_service(event, invitation, by, name)]


def _by_mail(event: Event, invitation: Invitation, by: str, name: str) -> list[Notice]:
    """Return the mail to an address with a token, by which its recipient can accept once they have an account."""
    token = event.data["token_id"] and one_time_tokens.find_valid(event.data["token_id"])
    if not (invitation.email and token):
        return []
    to = {"name": "", "email": invitation.email}
    return [
        Notice(invitation.id, to, _subject(by, name), _with_token(by, name, invitation, token), budget="invitation")
    ]


def _in_service(event: Event, invitation: Invitation, by: str, name: str) -> list[Notice]:
    """Return the notice to the invited account, if there is one; an address must be verified.

    With `mailed` it is not sent by mail, because `_by_mail` writes that mail.
    """
    account = users.find_addressee(email=invitation.email, user_id=invitation.user_id)
    if not (account.user_id and account.active and account.proved):
        return []
    profile = users.public_profiles([account.user_id])[account.user_id]
    text = _introduction(by, name, invitation) + _how_to_respond(invitation)
    return [
        Notice(
            account.user_id,
            profile,
            _subject(by, name),
            text,
            KIND,
            actor_id=event.actor_id,
            mailed=invitation.email is not None,
        )
    ]


def _subject(by: str, name: str) -> str:
    return f"{by} invites you to {name}"


def _introduction(by: str, name: str, invitation: Invitation) -> str:
    first = f"{inline(by)} invites you to a project:\n\n    {inline(name)}\n\n"
    return f"{first}Your role there would be: {invitation.role}.\n\n"


def _how_to_respond(invitation: Invitation) -> str:
    base = f"{settings.current().base_url}/api/v1/invitations/{invitation.id}"
    return (
        f"To accept:\n\n    POST {base}/accept\n\nTo refuse:\n\n    POST {base}/refuse\n\n"
        f"The invitation is valid until {invitation.expires_at:%Y-%m-%d %H:%M} UTC.\n"
    )


def _with_token(by: str, name: str, invitation: Invitation, token: OneTimeToken) -> str:
    base = f"{settings.current().base_url}/api/v1"
    return (
        f"{_introduction(by, name, invitation)}"
        f"To accept, log in with this address, {invitation.email}. If you have no account yet, register with this "
        "address first. Then send the token below, as JSON, to\n\n"
        f"    POST {base}/invitations/accept\n\n"
        "To refuse, send it without logging in to\n\n"
        f"    POST {base}/invitations/refuse\n\n"
        f'    {{"token": "{token.text()}"}}\n\n'
        f"The token can be used once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC. Keep it to yourself.\n"
        "If you do not know what this is about, ignore this mail.\n"
    )
