"""What follows from account events."""

from taskmanager.core import access
from taskmanager.core.events import Event, listen


@listen("session.ended", name="users.revocation", queue="high")
def publish_revocation(event: Event) -> None:
    """Write the account's new version to the cache store, in case it was away when the session ended."""
    access.republish([event.subject_id])
