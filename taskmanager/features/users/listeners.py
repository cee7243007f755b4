"""Listeners to account events."""

from collections.abc import Sequence

from bson import ObjectId

from taskmanager.core.events.log import Event, listen
from taskmanager.core.security import access
from taskmanager.features.users import deletion, holdings, registrations


@listen("session.ended", "sessions.ended", name="users.revocation", queue="high")
def publish_revocation(event: Event) -> None:
    """Write the account's access version to the cache store, which may have been down when the session ended."""
    access.republish([event.subject_id])


def _unfinished(events: Sequence[Event]) -> set[ObjectId]:
    return {event.id for event in events if event.data.get("unfinished")}


@listen("user.password_changed", name="users.recovery", queue="high", wanted=_unfinished)
def finish_recovery(event: Event) -> None:
    """End the holdings that the recovery has not ended in its own transaction."""
    if unfinished := event.data.get("unfinished"):
        holdings.finish(event.subject_id, unfinished)


@listen("registration.requested", name="users.registration", queue="high")
def register(event: Event) -> None:
    """Make the requested account, or record that the address has one, of which its user is notified."""
    registrations.carry_out(event.data["registration_id"])


@listen("user.deleted", name="users.forgetting", queue="low")
def scrub_log(event: Event) -> None:
    """Remove the remaining personal data of the user from the audit log."""
    deletion.scrub_rest(event.subject_id)
