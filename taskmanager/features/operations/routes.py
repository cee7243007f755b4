"""Routes by which administrators declare what holds for the whole service. `GET /info` shows it to everybody."""

from typing import Any

from flask import Response

from taskmanager.features.operations import service as operations
from taskmanager.features.operations.schemas import (
    MaintenanceIn,
    MaintenanceStateOut,
    MessageOfTheDayIn,
    MessageOfTheDayOut,
)
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("operations", __name__, description="Maintenance and the message of the day, for administrators")

_MAINTENANCE, _MESSAGE = Serialiser(MaintenanceStateOut), Serialiser(MessageOfTheDayOut)


@blp.route("/maintenance", methods=["PUT"], conditional="without revision", in_maintenance=True)
@blp.arguments(MaintenanceIn)
@blp.response(200, MaintenanceStateOut)
def begin_maintenance(data: dict[str, Any]) -> Response:
    """Begin a maintenance: everything can be read, and nothing changed

    For administrators. Within two seconds each process refuses changes with 503 `service.maintenance`, workers begin no
    job, and nothing is dispatched. Logins, their ends, share links and this route work. Again, it changes message and
    planned end.
    """
    found = operations.begin_maintenance(**data, actor=current_actor())
    return answers.data(_MAINTENANCE.dump(vars(found)))


@blp.route("/maintenance", methods=["DELETE"], conditional="without revision", in_maintenance=True)
@blp.response(204)
def end_maintenance() -> Response:
    """End the maintenance

    For administrators. What waited is done now.
    """
    operations.end_maintenance(actor=current_actor())
    return answers.nothing()


@blp.route("/message-of-the-day", methods=["PUT"], conditional="without revision", in_maintenance=True)
@blp.arguments(MessageOfTheDayIn)
@blp.response(200, MessageOfTheDayOut)
def set_message_of_the_day(data: dict[str, Any]) -> Response:
    """Set the message of the day

    For administrators. `GET /info` has it; clients show it.
    """
    return answers.data(_MESSAGE.dump(vars(operations.set_message(**data, actor=current_actor()))))


@blp.route("/message-of-the-day", methods=["DELETE"], conditional="without revision", in_maintenance=True)
@blp.response(204)
def delete_message_of_the_day() -> Response:
    """Delete the message of the day

    For administrators.
    """
    operations.delete_message(actor=current_actor())
    return answers.nothing()
