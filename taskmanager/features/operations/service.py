"""Use cases: declare what holds for the whole service. Commands have no actor."""

from datetime import datetime

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.servers import service_state
from taskmanager.core.servers.service_state import DailyMessage, Maintenance
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.operations.events import MaintenanceBegun, MaintenanceEnded, MessageChanged, ServiceFact
from taskmanager.features.operations.permissions import OperationsAction

MAX_CHARACTERS = 1_000


@unit_of_work
def begin_maintenance(message: str, until: datetime | None, *, actor: Actor | None) -> Maintenance:
    """Declare a maintenance, or change message and planned end of the present one. Raises Forbidden, Invalid."""
    by = _check(actor)
    if until and until <= now():
        raise Invalid("body.until", "The planned end is in the past.")
    made = service_state.declare_maintenance(message, until)
    record(MaintenanceBegun(by, message, until))
    return made


@unit_of_work
def end_maintenance(*, actor: Actor | None) -> bool:
    """Return whether the service was in maintenance, after ending it. Raises Forbidden."""
    by = _check(actor)
    ended = service_state.end_maintenance()
    if ended:
        record(MaintenanceEnded(by))
    return ended


@unit_of_work
def set_message(text: str, *, actor: Actor | None) -> DailyMessage:
    """Set the message of the day. Raises Forbidden, Invalid."""
    by = _check(actor)
    if not text.strip():
        raise Invalid("body.text", "It is blank: delete the message instead.")
    made = service_state.declare_message(text)
    record(MessageChanged(by, text))
    return made


@unit_of_work
def delete_message(*, actor: Actor | None) -> bool:
    """Return whether there was a message of the day, after deleting it. Raises Forbidden."""
    by = _check(actor)
    deleted = service_state.delete_message()
    if deleted:
        record(MessageChanged(by))
    return deleted


@unit_of_work
def audit(fact: ServiceFact) -> None:
    """Have the audit log tell of something that an administrator did for the whole service."""
    record(fact)


def _check(actor: Actor | None) -> ObjectId | None:
    """Return the account of the actor; None for a command. Raises Forbidden."""
    if actor is None:
        return None
    authorize(actor, OperationsAction.DECLARE, None)
    return actor.user_id
