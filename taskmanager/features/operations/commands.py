"""`taskmanager maintenance …` and `taskmanager message-of-the-day …`. A command imports what it needs when it runs."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

_json = click.option("--json", "as_json", is_flag=True, help="Print an object.")


@click.group()
def maintenance() -> None:
    """Have the service be read, and not changed, for all processes."""


@maintenance.command()
@click.option("--message", default="", help="Shown to users.")
@click.option("--until", help="The planned end, such as 2026-12-01T09:00:00Z, or minutes from now, such as 30.")
@_json
@click.pass_obj
def on(environment: Any, message: str, until: str | None, as_json: bool) -> None:
    """Begin a maintenance; it lasts until `off`, also over restarts."""
    from taskmanager.features.operations import service

    environment.connect()
    _checked(message)
    service.begin_maintenance(message, _moment(until) if until else None, actor=None)
    _say("On: within two seconds all processes refuse changes, and workers begin no job.", as_json)


@maintenance.command()
@_json
@click.pass_obj
def off(environment: Any, as_json: bool) -> None:
    """End the maintenance."""
    from taskmanager.features.operations import service

    environment.connect()
    _say("Off." if service.end_maintenance(actor=None) else "There was no maintenance.", as_json)


@maintenance.command()
@_json
@click.pass_obj
def status(environment: Any, as_json: bool) -> None:
    """Tell whether the service is in maintenance."""
    from taskmanager.core.servers import service_state

    environment.connect()
    service_state.invalidate()
    _say("On." if service_state.is_paused() else "Off.", as_json)


@click.group("message-of-the-day")
def message_of_the_day() -> None:
    """Tell all users something, in `/info`."""


@message_of_the_day.command("set")
@click.argument("text")
@_json
@click.pass_obj
def set_message(environment: Any, text: str, as_json: bool) -> None:
    """Set the message of the day."""
    from taskmanager.features.operations import service

    environment.connect()
    service.set_message(_checked(text), actor=None)
    _say("It is in /info within two seconds.", as_json)


@message_of_the_day.command("delete")
@_json
@click.pass_obj
def delete_message(environment: Any, as_json: bool) -> None:
    """Delete the message of the day."""
    from taskmanager.features.operations import service

    environment.connect()
    _say("Deleted." if service.delete_message(actor=None) else "There was none.", as_json)


def _say(sentence: str, as_json: bool) -> None:
    """Print what was done; as JSON, what is declared now."""
    from taskmanager.core.clock import iso
    from taskmanager.core.servers import service_state

    if not as_json:
        return click.echo(sentence)
    service_state.invalidate()
    found = service_state.current()
    present = {"maintenance": found.maintenance, "message_of_the_day": found.message}
    plain = {name: thing and vars(thing) for name, thing in present.items()}
    return click.echo(json.dumps(plain, default=iso))


def _checked(text: str) -> str:
    """Return the text if the API would take it, too."""
    from taskmanager.features.operations.service import MAX_CHARACTERS

    if len(text) > MAX_CHARACTERS or any(not one.isprintable() and one not in "\n\t" for one in text):
        raise click.UsageError(f"A message has at most {MAX_CHARACTERS} characters, and no control characters.")
    return text


def _moment(text: str) -> "datetime":
    """Return the moment of an option: a time with a zone, or minutes from now."""
    from datetime import datetime, timedelta

    from taskmanager.core.clock import now

    if text.isdecimal() and len(text) < 6:
        return now() + timedelta(minutes=int(text))
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            return moment
    raise click.UsageError("--until is a time with a zone, such as 2026-12-01T09:00:00Z, or a number of minutes.")


COMMANDS = (maintenance, message_of_the_day)
