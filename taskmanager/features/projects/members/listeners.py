"""The listener of members."""

from taskmanager.core.events.log import Event, listen
from taskmanager.features.projects.members import service as members


@listen("user.updated", "user.email_changed", name="projects.profiles", queue="low")
def note_profile(event: Event) -> None:
    """Record in each project of a user that members see another name or address."""
    if event.kind != "user.updated" or "name" in event.data.get("changes", {}):
        members.note_profile(event.subject_id)
