"""Commands that need none of the processes; `workers/cli.py` takes them into the command `taskmanager`.

What a command needs is imported when it runs: `taskmanager --help` is asked for more often than any of them.
"""

import secrets
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import click

from taskmanager.features.notifications.delivery import commands as delivery_commands

if TYPE_CHECKING:
    from taskmanager.core.configuration.settings import KeySettings, Settings

_KEEP_AFTER_TOKENS_SECONDS = 3600  # a margin for clocks that differ


class Environment(NamedTuple):
    """How a command gets the settings of keys alone, and the connection to the service's database and stores."""

    load_keys: "Callable[[], KeySettings]"
    connect: "Callable[[], Settings]"


@click.group()
def group() -> None:
    """Commands of the package."""


@group.command()
def openapi() -> None:
    """Print the OpenAPI document of version 1."""
    import orjson

    from taskmanager.api.v1 import V1

    click.echo(orjson.dumps(V1.document(), option=orjson.OPT_INDENT_2).decode())


@group.group()
def keys() -> None:
    """The keys that sign access tokens."""


@keys.command()
@click.pass_obj
def create(environment: Environment) -> None:
    """Make the first key, or another; the older ones still verify."""
    from taskmanager.core.security import keyring

    click.echo(keyring.create(environment.load_keys().keys_path))


@keys.command()
@click.pass_obj
def rotate(environment: Environment) -> None:
    """Make a new key, and remove those whose tokens have all ended.

    Processes that run find the new key by themselves; it signs after some seconds.
    """
    from taskmanager.core.security import keyring

    settings = environment.load_keys()
    keep = settings.access_token_minutes * 60 + _KEEP_AFTER_TOKENS_SECONDS
    new, removed = keyring.rotate(settings.keys_path, keep)
    click.echo(f"{new} made")
    for kid in removed:
        click.echo(f"{kid} removed")


@keys.command("list")
@click.pass_obj
def list_keys(environment: Environment) -> None:
    """List the keys: id, when it was made, and what it does."""
    from taskmanager.core.clock import iso
    from taskmanager.core.security import keyring

    for kid, made, state in keyring.described(environment.load_keys().keys_path):
        click.echo(f"{kid}  {iso(made)}  {state}")


group.add_command(delivery_commands.deliveries)


@group.group()
def events() -> None:
    """The event log, for operators."""


@events.command()
@click.pass_obj
def revive(environment: Environment) -> None:
    """Hand out again the events whose listeners failed until they were given up."""
    from taskmanager.core.events import outbox

    environment.connect()
    click.echo(f"{outbox.revive()} to be handed out again.")


@group.command()
@click.pass_obj
def schedules(environment: Environment) -> None:
    """List what happens at its time: the scheduler's jobs, what the relay hands out, and what MongoDB lets end."""
    from taskmanager.core.clock import iso
    from taskmanager.core.events import schedule
    from taskmanager.core.storage import database
    from taskmanager.features.notifications.delivery import report as delivery_report

    environment.connect()
    for job, due in schedule.listed():
        ran, next_ = (iso(moment) if moment else "never" for moment in (due and due.ran_at, due and due.due_at))
        click.echo(f"{job.name:26} every {job.seconds:g} s  ran {ran}  due {next_}")
    number, first = delivery_report.planned()
    next_ = f"due {iso(first)}" if first else "none is planned"
    click.echo(f"{'digests, second attempts':26} by the relay  {number} planned  {next_}")
    for name in database.expiring_collections():
        click.echo(f"{name:26} by MongoDB  each at its time")


@group.group()
def users() -> None:
    """Accounts, for operators."""


@users.command("create")
@click.argument("email")
@click.option("--name", help="Else the address before the @.")
@click.option("--admin", is_flag=True, help="Make an administrator.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else one is made.")
@click.pass_obj
def create_user(environment: Environment, email: str, name: str | None, admin: bool, password_stdin: bool) -> None:
    """Make an account whose address counts as confirmed."""
    from taskmanager.features.users import service as accounts

    environment.connect()
    _check_address(email)
    password = _password(password_stdin)
    role = "admin" if admin else "user"
    accounts.register(email=email, password=password, name=name or email.split("@")[0], role=role, verified=True)
    click.echo(f"{email} has an account, with the role {role}.")
    _show(password, password_stdin)


@users.command()
@click.argument("email")
@click.pass_obj
def promote(environment: Environment, email: str) -> None:
    """Make an account an administrator, at once. Its address must be confirmed: else a mail asks for that."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    administration.promote(administration.by_email(email))
    click.echo(f"{email} is an administrator.")


@users.command()
@click.argument("email")
@click.pass_obj
def disable(environment: Environment, email: str) -> None:
    """Refuse everything to an account, at once."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    administration.disable(administration.by_email(email))
    click.echo(f"{email} is disabled.")


@users.command("reset-password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else one is made.")
@click.pass_obj
def reset_password(environment: Environment, email: str, password_stdin: bool) -> None:
    """Set a new password and end all sessions of an account."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    password = _password(password_stdin)
    administration.reset_password(administration.by_email(email), password)
    click.echo(f"{email} has a new password.")
    _show(password, password_stdin)


@users.command("reset-totp")
@click.argument("email")
@click.pass_obj
def reset_totp(environment: Environment, email: str) -> None:
    """Turn the second factor of an account off, for a user who lost the device and the recovery codes."""
    from taskmanager.features.users.administration import service as administration
    from taskmanager.features.users.second_factor import service as totp

    environment.connect()
    totp.reset(administration.by_email(email), by_operator=True)
    click.echo(f"{email} logs in without a second factor.")


def _check_address(email: str) -> None:
    from marshmallow import ValidationError

    from taskmanager.web.schemas import Email

    try:
        Email().deserialize(email)
    except ValidationError as error:
        raise click.ClickException(" ".join(error.messages)) from None


def _password(from_input: bool) -> str:
    if not from_input:
        return secrets.token_urlsafe(15)
    password = sys.stdin.readline().rstrip("\n")
    if not 8 <= len(password) <= 128:
        raise click.ClickException("A password has 8 to 128 characters.")
    return password


def _show(password: str, known: bool) -> None:
    if not known:
        click.echo(f"Password: {password}")
