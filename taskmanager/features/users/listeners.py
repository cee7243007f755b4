"""What follows from account events."""

from collections.abc import Sequence

from bson import ObjectId

from taskmanager.core.events.log import Event, listen
from taskmanager.core.security import access
from taskmanager.features.users import deletion, holdings, registrations


@listen("session.ended", "sessions.ended", name="users.revocation", queue="high")
def publish_revocation(event: Event) -> None:
    """Write the account's new version to the cache store, in case it was away when the session ended."""
    access.republish([event.subject_id])


def _unfinished(events: Sequence[Event]) -> set[ObjectId]:
    return {event.id for event in events if event.data.get("unfinished")}


@listen("user.password_changed", name="users.recovery", queue="high", wanted=_unfinished)
def finish_recovery(event: Event) -> None:
    """End what a recovery has not ended in its own transaction."""
    if unfinished := event.data.get("unfinished"):
        holdings.finish(event.subject_id, unfinished)


@listen("registration.requested", name="users.registration", queue="high")
def register(event: Event) -> None:
    """Make the account that was asked for, or tell the owner of the one there is."""
    registrations.carry_out(event.data["registration_id"])


@listen("user.deleted", name="users.forgetting", queue="low")
def scrub_log(event: Event) -> None:
    """Remove what is left in the log of who it was."""
    deletion.scrub_rest(event.subject_id)
