"""The commands of operators: doctor, verify, stats, routes, test-mail, backup, restore; `--json` prints JSON."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from taskmanager.cli import Environment

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_passphrase = click.option("--passphrase-file", type=click.Path(path_type=Path), help="A file with the passphrase.")


@click.command()
@_json
@click.pass_obj
def doctor(environment: Environment, as_json: bool) -> None:
    """Check settings, servers, versions, indexes, machine: exit status 0, 3 with warnings, 1 when something fails."""
    from taskmanager.app import create_app
    from workers.effective_settings import effective_settings
    from workers.operations import doctor as examination

    create_app(effective_settings())  # with the routes of plugins, which may not fit
    found = examination.diagnose()
    rows = [{"check": one.key, **one.member("")} for one in found]
    _print(rows, as_json, ("status", "check", "componentId", "observedValue", "observedUnit", "output"))
    sys.exit(examination.EXIT_CODES[examination.status_of(found)])


@click.command()
@_json
@click.pass_obj
def verify(environment: Environment, as_json: bool) -> None:
    """Check the books: events, counters, counts, contents, orphans; exit status 1 when something is wrong."""
    from workers.operations import verify as books

    environment.connect()
    found = books.verify()
    _say_findings(found, as_json)
    sys.exit(any(found.values()))


@click.command()
@_json
@click.pass_obj
def stats(environment: Environment, as_json: bool) -> None:
    """Show documents and bytes of collections, and of the projects with most tasks."""
    from taskmanager.api import space

    environment.connect()
    found = {"collections": space.collections(), "projects": space.projects()}
    if as_json:
        return click.echo(json.dumps(found, indent=1))
    for rows in found.values():
        _print(rows, False, tuple(rows[0]) if rows else ())
        click.echo()
    return None


@click.command()
@_json
@click.pass_obj
def routes(environment: Environment, as_json: bool) -> None:
    """List the routes: method, rule, endpoint, feature and service."""
    from taskmanager.app import routing_app
    from workers.operations import figures

    rows = figures.routes(routing_app(environment.load_settings()))
    _print(rows, as_json, ("method", "rule", "endpoint", "feature", "service"))


@click.command("delete")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
@click.pass_obj
def delete_user(environment: Environment, email: str, yes: bool, as_json: bool) -> None:
    """Delete an account with its personal data, as its user would; content that others need stays."""
    from taskmanager.features.accounts import service as accounts

    environment.connect()
    if not yes:
        click.confirm(f"Delete the account {email}? This cannot be undone.", abort=True)
    accounts.delete_by_operator(email)
    sentence = f"The account {email} is deleted; a worker deletes the rest of its data."
    click.echo(json.dumps({"deleted": email}) if as_json else sentence)


@click.command("test-mail")
@click.argument("address")
@_json
@click.pass_obj
def test_mail(environment: Environment, address: str, as_json: bool) -> None:
    """Send a mail to an address at once, past queue and notifications, and print what the mail server said."""
    from workers.effective_settings import effective_settings
    from workers.operations import mail_test

    error = mail_test.send(effective_settings(), address)
    sentence = error or "The mail server has accepted the mail."
    click.echo(json.dumps({"sent": not error, "detail": sentence}) if as_json else sentence, err=bool(error))
    sys.exit(bool(error))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@_passphrase
@click.option("--without-keys", is_flag=True, help="Leave out signing keys and secret: you keep them elsewhere.")
@_json
@click.pass_obj
def backup(
    environment: Environment, file: Path, passphrase_file: Path | None, without_keys: bool, as_json: bool
) -> None:
    """Write all data to FILE, as it is at one moment, while the service runs."""
    from workers.operations import backup as backups

    if (passphrase_file is None) != without_keys:
        raise click.UsageError("Choose: --passphrase-file, which encrypts the keys in the backup, or --without-keys.")
    settings = environment.connect()
    passphrase = None if without_keys else _read(passphrase_file)
    manifest = backups.write(file, settings, passphrase=passphrase, say=lambda line: click.echo(line, err=True))
    number = sum(one["documents"] for one in manifest["collections"].values())
    size = file.stat().st_size
    found = {"file": str(file), "bytes": size, "documents": number, "made_at": manifest["made_at"]}
    click.echo(json.dumps(found) if as_json else f"{file}: {number} documents, {size} bytes.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@_passphrase
@_json
@click.pass_obj
def restore(environment: Environment, file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Restore FILE into an empty database, and verify it; exit status 1 when the books do not fit."""
    from workers.operations import restoring

    passphrase = None if passphrase_file is None else _read(passphrase_file)
    found, sentence = restoring.restore_and_verify(file, passphrase, lambda line: click.echo(line, err=True))
    if sentence:
        click.echo(sentence, err=True)
    _say_findings(found, as_json)
    sys.exit(any(found.values()))


@click.group()
def shard() -> None:
    """Spread the data over shards of MongoDB."""


@shard.command("plan")
@click.argument("shards", nargs=-1, required=True)
@click.option("--database", default="taskmanager", help="The name of the database.", show_default=True)
@click.option("--from", "before", default="", help="The shards of the plan that was run, such as 'rs0 rs1'.")
@_json
def shard_plan(shards: tuple[str, ...], database: str, before: str, as_json: bool) -> None:
    """Print the commands for mongosh that spread the data over SHARDS, such as `rs0 rs1`; nothing is changed.

    With --from: only those that move zones from the shards of an earlier plan.
    """
    from bson import json_util

    from taskmanager.core.servers import sharding

    earlier = before.split()
    for names in (shards, earlier):
        if len(set(names)) < len(names) or len(names) > sharding.ZONES:
            raise click.UsageError(f"Name each shard once, and at most {sharding.ZONES}.")
    steps = list(sharding.changed_plan(earlier, shards) if earlier else sharding.plan(database, shards))
    for step in [] if as_json else steps:
        click.echo(step.shell)
    if as_json:
        commands = [{**step.command, "$db": step.database} for step in steps]
        click.echo(json_util.dumps(commands, json_options=json_util.CANONICAL_JSON_OPTIONS, indent=1))


def _read(path: Path | None) -> str:
    return path.read_text().strip("\r\n") if path else ""


def _say_findings(found: Mapping[str, list[str]], as_json: bool) -> None:
    if as_json:
        return click.echo(json.dumps(found, indent=1))
    for name, sentences in found.items():
        click.echo(f"{name}: {'right' if not sentences else 'wrong'}")
        for sentence in sentences:
            click.echo(f"  {sentence}")
    return None


def _print(rows: Iterable[Mapping[str, Any]], as_json: bool, names: tuple[str, ...]) -> None:
    """Print rows as JSON, or as columns."""
    rows = list(rows)
    if as_json:
        return click.echo(json.dumps(rows, indent=1, default=str))
    widths = {name: max((len(str(row.get(name, ""))) for row in rows), default=0) for name in names}
    for row in rows:
        click.echo("  ".join(str(row.get(name, "")).ljust(min(widths[name], 60)) for name in names).rstrip())
    return None


COMMANDS = (doctor, verify, stats, routes, test_mail, backup, restore, shard)
