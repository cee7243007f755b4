"""What follows from the end of an account."""

import structlog

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.accounts import orphans, service as accounts

log = structlog.get_logger("taskmanager.orphans")


@listen("user.deleted", name="accounts.assignments")
def delete_private(event: Event) -> None:
    """Delete what the account had for itself."""
    accounts.delete_private(event.subject_id)


@listen("user.deleted", name="accounts.deletion")
def finish_deletion(event: Event) -> None:
    """Remove what one transaction was not enough for."""
    accounts.finish_deletion(event.subject_id, event.data.get("streams", []))


@every(300, name="accounts.orphans")
def remove_orphans() -> None:
    """Remove what belongs to nothing any more, little by little."""
    if removed := orphans.remove():
        log.info("orphans", removed=removed)
