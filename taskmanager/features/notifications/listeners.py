"""What notifications do when something happened."""

from taskmanager.core.events import Event, listen
from taskmanager.features.notifications import service as notifications


@listen("task.created", "task.updated", name="notifications.assignees", queue="high")
def mail_assignees(event: Event) -> None:
    """Mail those whom the event assigned to its task."""
    notifications.tell_assignees(event)
