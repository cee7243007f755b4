"""`taskmanager users …`: accounts, for operators. A command imports what it needs when it runs."""

import json
import secrets
import sys
from typing import Any

import click

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def sessions() -> None:
    """Sessions, for operators."""


@sessions.command("end")
@click.argument("email", required=False)
@click.option("--all", "of_all", is_flag=True, help="Of all accounts.")
@_json
@click.pass_obj
def end_sessions(environment: Any, email: str | None, of_all: bool, as_json: bool) -> None:
    """End all sessions of an account, at once; its user has to log in again."""
    from taskmanager.features.users.administration import service as administration

    if bool(email) == of_all:
        raise click.UsageError("Name the address of an account, or give --all.")
    environment.connect()
    ended = administration.end_sessions_of_all() if of_all else administration.end_sessions_by_operator(email or "")
    click.echo(json.dumps({"accounts": ended}) if as_json else f"The sessions of {ended} accounts have ended.")


@click.group()
def users() -> None:
    """Accounts, for operators."""


@users.command("create")
@click.argument("email")
@click.option("--name", help="Default: the part of the address before the @.")
@click.option("--admin", is_flag=True, help="Make an administrator.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input. Default: generate one.")
@_json
@click.pass_obj
def create_user(
    environment: Any, email: str, name: str | None, admin: bool, password_stdin: bool, as_json: bool
) -> None:
    """Make an account with a confirmed address."""
    from taskmanager.features.users import service as accounts

    environment.connect()
    _check_address(email)
    password = _password(password_stdin)
    role = "admin" if admin else "user"
    name = name or email.split("@")[0]
    user = accounts.make_account(email=email, password=password, name=name, role=role, verified=True)
    _say(user, f"{email} has an account, with the role {role}.", as_json, "" if password_stdin else password)


@users.command()
@click.argument("email")
@_json
@click.pass_obj
def promote(environment: Any, email: str, as_json: bool) -> None:
    """Make an account an administrator. If its address is not confirmed, send a mail to confirm it instead."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    _say(administration.promote(administration.by_email(email)), f"{email} is an administrator.", as_json)


@users.command()
@click.argument("email")
@_json
@click.pass_obj
def disable(environment: Any, email: str, as_json: bool) -> None:
    """Disable an account at once: end its sessions and refuse its requests."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    _say(administration.disable(administration.by_email(email)), f"{email} is disabled.", as_json)


@users.command("list")
@click.option("--role", type=click.Choice(["user", "admin"]))
@click.option("--disabled", is_flag=True, help="Only disabled ones.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@_json
@click.pass_obj
def list_users(environment: Any, role: str | None, disabled: bool, limit: int, as_json: bool) -> None:
    """List accounts, in the order of their addresses."""
    from taskmanager.features.users.models import User

    environment.connect()
    found = User.objects(deleted_at=None, **({"role": role} if role else {}))
    found = found.filter(disabled_at__ne=None) if disabled else found
    _list(found.order_by("email").limit(limit), as_json)


@users.command()
@click.argument("text")
@_json
@click.pass_obj
def find(environment: Any, text: str, as_json: bool) -> None:
    """List the accounts whose address, name or a word of the name begins with TEXT."""
    from taskmanager.features.users.models import User

    environment.connect()
    _list(User.objects.found_by(text).order_by("email").limit(100), as_json)


@users.command()
@click.argument("email")
@_json
@click.pass_obj
def enable(environment: Any, email: str, as_json: bool) -> None:
    """Enable a disabled account."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    _say(administration.enable(administration.by_email(email)), f"{email} is enabled.", as_json)


@users.command()
@click.argument("email")
@_json
@click.pass_obj
def demote(environment: Any, email: str, as_json: bool) -> None:
    """Make an administrator a user; the last one stays."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    _say(administration.change_role(administration.by_email(email), "user"), f"{email} is a user.", as_json)


@users.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--dry-run", is_flag=True, help="Only check the file.")
@_json
@click.pass_obj
def import_users(environment: Any, file: Any, dry_run: bool, as_json: bool) -> None:
    """Create accounts from a CSV file with the columns email, name and, if any, role.

    Addresses count as confirmed; each user sets a password by "forgot password". Addresses with an account are left as
    they are. Nothing is created while a line of the file is wrong.
    """
    from taskmanager.features.users.administration import importing

    environment.connect()
    rows = importing.read(file)
    wrong = importing.problems(rows)
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        sys.exit(1)
    created, kept = (0, 0) if dry_run else importing.create(rows)
    found = {"lines": len(rows), "created": created, "kept": kept}
    click.echo(json.dumps(found) if as_json else f"{len(rows)} lines, {created} created, {kept} had an account.")


@users.command("reset-password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input. Default: generate one.")
@_json
@click.pass_obj
def reset_password(environment: Any, email: str, password_stdin: bool, as_json: bool) -> None:
    """Set a new password and end all sessions of an account."""
    from taskmanager.features.users.administration import service as administration

    environment.connect()
    password = _password(password_stdin)
    user = administration.by_email(email)
    administration.reset_password(user, password)
    _say(user, f"{email} has a new password.", as_json, "" if password_stdin else password)


@users.command("reset-totp")
@click.argument("email")
@_json
@click.pass_obj
def reset_totp(environment: Any, email: str, as_json: bool) -> None:
    """Turn off the second factor of an account, for users who lost the device and the recovery codes."""
    from taskmanager.features.users.administration import service as administration
    from taskmanager.features.users.second_factor import service as totp

    environment.connect()
    user = administration.by_email(email)
    totp.reset(user, by_operator=True)
    _say(user, f"{email} logs in without a second factor.", as_json)


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


def _say(user: Any, sentence: str, as_json: bool, password: str = "") -> None:
    """Print what was done, and a password that was generated; as JSON, the account as it is now."""
    generated = {"password": password} if password else {}
    if as_json:
        return click.echo(json.dumps(_account(user) | generated))
    click.echo(sentence)
    for word in generated.values():
        click.echo(f"Password: {word}")
    return None


def _account(user: Any) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "kind": user.kind,
        "disabled": bool(user.disabled_at),
        "verified": bool(user.email_verified_at),
    }


def _list(found: Any, as_json: bool) -> None:
    """Print accounts as lines, or as a list of objects."""
    rows = [_account(user) for user in found]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        marks = [row["role"], row["kind"], *(name for name in ("disabled", "verified") if row[name])]
        click.echo(f"{row['id']}  {row['email']}  {row['name']}  {', '.join(map(str, marks))}")


COMMANDS = (users, sessions)
