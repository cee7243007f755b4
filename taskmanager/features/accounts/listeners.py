"""What follows from the end of an account."""

from taskmanager.core.events import Event, listen
from taskmanager.features.accounts import service as accounts


@listen("user.deleted", name="accounts.assignments")
def delete_private(event: Event) -> None:
    """Delete what the account had for itself."""
    accounts.delete_private(event.subject_id)


@listen("user.deleted", name="accounts.deletion")
def finish_deletion(event: Event) -> None:
    """Remove what one transaction was not enough for."""
    accounts.finish_deletion(event.subject_id, event.data.get("address_stream", ""))
