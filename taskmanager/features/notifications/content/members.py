"""Notices about memberships that have ended."""

from taskmanager.core.events.log import Event, project_of
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import Notice, api_url, writes
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
    name = inline(profiles.get(event.data["user_id"], {}).get("name", "Someone"))
    text = (
        f"{name} is no longer a member of this project:\n\n    {inline(project.name)}\n\n"
        f"Share links that they created are closed: {number}. To create new ones:\n\n"
        f"{api_url(f'/projects/{project_id}/share-links')}\n"
    )
    return [
        Notice(user_id, profiles[user_id], "Share links were closed", text, "share_links.closed", project_id)
        for user_id in owners
        if user_id in profiles
    ]
