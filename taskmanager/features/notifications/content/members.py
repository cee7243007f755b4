"""Notices about memberships that have ended."""

from bson import ObjectId

from taskmanager.core.events.log import Event, project_of
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import Notice, call_to_action, writes
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.users import service as users


@writes("member.removed")
def links_ended(event: Event) -> list[Notice]:
    """Notify the owners, also the one who removed the member, that share links ended with the membership."""
    number, project_id = event.data.get("ended_links"), project_of(event)
    project = number and Project.objects(id=project_id).alive().first()
    if not project:
        return []
    owners = list(Membership.objects(project_id=project_id, role="owner").scalar("user_id"))
    profiles = users.public_profiles([*owners, event.data["user_id"]])
    locales, former = users.locales(owners), profiles.get(event.data["user_id"], {}).get("name")
    notices = []
    for user_id in (one for one in owners if one in profiles):
        with languages.using(locales.get(user_id)):
            notices.append(_notice(user_id, profiles[user_id], project, former, number))
    return notices


def _notice(user_id: ObjectId, profile: dict[str, str], project: Project, former: str | None, number: int) -> Notice:
    call = call_to_action(gettext("Open the project"), links.project(project.id))
    first = gettext("%(name)s is no longer a member of this project:", name=inline(former or gettext("Someone")))
    ended = gettext(
        "Share links that they created are closed: %(number)s. Managers can create new ones.", number=number
    )
    text = f"{first}\n\n    {inline(project.name)}\n\n{ended}\n\n{call}\n"
    subject = gettext("Share links were closed")
    return Notice(user_id, profile, subject, text, "share_links.closed", project.id, call=call)
