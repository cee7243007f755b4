"""`taskmanager users …`: accounts, for operators. A command imports what it needs when it runs."""

import secrets
import sys
from typing import Any

import click


@click.group()
def users() -> None:
    """Accounts, for operators."""


@users.command("create")
@click.argument("email")
@click.option("--name", help="Default: the part of the address before the @.")
@click.option("--admin", is_flag=True, help="Make an administrator.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input. Default: generate one.")
@click.pass_obj
def create_user(environment: Any, email: str, name: str | None, admin: bool, password_stdin: bool) -> None:
    """Make an account with a confirmed address."""
    from taskmanager.features.users import service as accounts

    environment.connect()
    _check_address(email)
    password = _password(password_stdin)
    role = "admin" if admin else "user"
    accounts.make_account(email=email, password=password, name=name or email.split("@")[0], role=role, verified=True)
    click.echo(f"{email} has an account, with the role {role}.")
    _show(password, password_stdin)


@users.command()
@click.argument("email")
@click.pass_obj
def promote(environment: Any, email: str) -> None:
    """Make an account an administrator. If its address is not confirmed, send a mail to confirm it instead."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    administration.promote(administration.by_email(email))
    click.echo(f"{email} is an administrator.")


@users.command()
@click.argument("email")
@click.pass_obj
def disable(environment: Any, email: str) -> None:
    """Disable an account at once: end its sessions and refuse its requests."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    administration.disable(administration.by_email(email))
    click.echo(f"{email} is disabled.")


@users.command("reset-password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input. Default: generate one.")
@click.pass_obj
def reset_password(environment: Any, email: str, password_stdin: bool) -> None:
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
def reset_totp(environment: Any, email: str) -> None:
    """Turn off the second factor of an account, for users who lost the device and the recovery codes."""
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
    from taskmanager.features.users.passwords import MAX_CHARACTERS, MIN_CHARACTERS

    if not from_input:
        return secrets.token_urlsafe(15)
    password = sys.stdin.readline().rstrip("\n")
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise click.ClickException(f"A password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters.")
    return password


def _show(password: str, known: bool) -> None:
    if not known:
        click.echo(f"Password: {password}")


COMMANDS = (users,)
