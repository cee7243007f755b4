"""What follows from the end of an account."""

from taskmanager.core.events import Event, listen
from taskmanager.features.accounts import service as accounts


@listen("user.deleted", name="accounts.assignments")
def take_from_tasks(event: Event) -> None:
    """Take the person off the tasks he was assigned to."""
    accounts.take_from_tasks(event.subject_id, event.data["project_ids"])
