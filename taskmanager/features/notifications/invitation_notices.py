"""The mail that invites somebody to a project."""

from taskmanager.core import settings
from taskmanager.core.events import Event
from taskmanager.features.notifications.notices import Notice, one_line, writes
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.users import one_time
from taskmanager.features.users import service as users


@writes("invitation.created")
def invited(event: Event) -> list[Notice]:
    """To the invited address: the same for people with and without an account."""
    token = one_time.look_up(event.data["token_id"])
    invitation = token and Invitation.objects(id=event.subject_id).waiting().first()
    project = invitation and Project.objects(id=invitation.project_id).alive().first()
    if not (token and invitation and project):
        return []
    by = one_line(users.cards([invitation.invited_by]).get(invitation.invited_by, {}).get("name", "Somebody"))
    name = one_line(project.name)
    text = _text(by, name, invitation, token.text())
    return [Notice(invitation.id, {"name": "", "email": invitation.email}, f"{by} invites you to {name}", text)]


def _text(by: str, name: str, invitation: Invitation, token: str) -> str:
    base = f"{settings.current().base_url}/api/v1"
    return (
        f"{by} invites you to a project:\n\n"
        f"    {name}\n\n"
        f"Your role there would be: {invitation.role}.\n\n"
        f"To accept, log in with this address, {invitation.email}. If you have no account yet, register with this "
        "address first. Then send the token below, as JSON, to\n\n"
        f"    POST {base}/invitations/accept\n\n"
        "To refuse, send it without logging in to\n\n"
        f"    POST {base}/invitations/refuse\n\n"
        f'    {{"token": "{token}"}}\n\n'
        f"The token can be used once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC. Keep it to yourself.\n"
        "If you do not know what this is about, you need not do anything.\n"
    )
