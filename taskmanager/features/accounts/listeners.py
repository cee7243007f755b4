"""Listeners to deleted accounts, and the periodic job for orphans."""

import structlog

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.accounts import orphans, service as accounts

log = structlog.get_logger("taskmanager.orphans")


@listen("user.deleted", name="accounts.assignments")
def delete_private(event: Event) -> None:
    """Delete the private content of the account."""
    accounts.delete_private(event.subject_id)


@listen("user.deleted", name="accounts.deletion")
def finish_deletion(event: Event) -> None:
    """Delete the rest of the account, for which one transaction was not enough."""
    accounts.finish_deletion(event.subject_id, event.data.get("streams", []))


@every(300, name="accounts.orphans")
def remove_orphans() -> None:
    """Delete some documents whose owner no longer exists."""
    if removed := orphans.remove():
        log.info("orphans", removed=removed)
