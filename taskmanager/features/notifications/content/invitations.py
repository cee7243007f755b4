"""Notices about invitations: a mail to the invited address, and a notice to the invited account."""

from typing import NamedTuple

from taskmanager.core.events.log import Event
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext
from taskmanager.features.notifications.content.quoting import inline, one_line
from taskmanager.features.notifications.content.registry import Notice, call_to_action, writes
from taskmanager.features.projects import titles
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.users import one_time_tokens, service as users
from taskmanager.features.users.service import Addressee
from taskmanager.features.users.signup import policy

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
    inviter = users.public_profiles([invitation.invited_by]).get(invitation.invited_by, {}).get("name")
    about = _About(invitation, one_line(inviter or ""), one_line(project.name))
    account = users.find_addressee(email=invitation.email, user_id=invitation.user_id)
    reader = account.user_id or invitation.invited_by  # a person without an account reads the language of the inviter
    with languages.using(users.locales([reader]).get(reader)):
        return [*_by_mail(event, about), *_in_service(event, about, account)]


class _About(NamedTuple):
    """An invitation, and the names in it."""

    invitation: Invitation
    inviter: str
    project: str

    def subject(self) -> str:
        return gettext("%(by)s invites you to %(name)s", by=self.inviter or gettext("Someone"), name=self.project)

    def introduction(self) -> str:
        first = gettext("%(by)s invites you to a project:", by=inline(self.inviter) or gettext("Someone"))
        role = gettext("Your role there would be: %(role)s.", role=titles.of_role(self.invitation.role))
        return f"{first}\n\n    {inline(self.project)}\n\n{role}\n\n"


def _by_mail(event: Event, about: _About) -> list[Notice]:
    """Return the mail to an address with a token, by which its recipient can accept once they have an account."""
    invitation = about.invitation
    token = event.data["token_id"] and one_time_tokens.find_valid(event.data["token_id"])
    if not (invitation.email and token):
        return []
    to = {"name": "", "email": invitation.email}
    call = call_to_action(gettext("Open the invitation"), links.invitation(invitation.id, token.text()))
    text = f"{about.introduction()}{_how_to_respond(invitation)}\n\n{call}\n\n{_valid_until(invitation, None)}\n"
    return [Notice(invitation.id, to, about.subject(), text, budget="invitation", call=call)]


def _in_service(event: Event, about: _About, account: Addressee) -> list[Notice]:
    """Return the notice to the invited account, if there is one; an address must be verified.

    With `mailed` it is not sent by mail, because `_by_mail` writes that mail.
    """
    invitation, user_id = about.invitation, account.user_id
    if not (user_id and account.active and account.proved):
        return []
    call = call_to_action(gettext("Open the invitation"), links.invitation(invitation.id))
    zone = users.timezones([user_id]).get(user_id)
    return [
        Notice(
            user_id,
            users.public_profiles([user_id])[user_id],
            about.subject(),
            f"{about.introduction()}{call}\n\n{_valid(invitation, zone)}\n",
            KIND,
            actor_id=event.actor_id,
            mailed=invitation.email is not None,
            call=call,
        )
    ]


def _how_to_respond(invitation: Invitation) -> str:
    if policy.is_closed():
        return gettext(
            "To accept or refuse it, open the link. It is for the address %(address)s: if you have no account with it"
            " yet, ask an administrator of this service for one.",
            address=invitation.email,
        )
    return gettext(
        "To accept or refuse it, open the link. It is for the address %(address)s: if you have no account with it yet,"
        " you can make one there.",
        address=invitation.email,
    )


def _valid_until(invitation: Invitation, zone: str | None) -> str:
    """Return how long the link of a mail is valid, and what to do with a mail that one did not expect."""
    return " ".join(
        (
            _valid(invitation, zone),
            gettext("The link can be used once. Keep it to yourself."),
            gettext("If you do not know what this is about, ignore this mail."),
        )
    )


def _valid(invitation: Invitation, zone: str | None) -> str:
    return gettext("The invitation is valid until %(time)s.", time=languages.moment(invitation.expires_at, zone))
