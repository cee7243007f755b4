"""Commands that start no process; `workers/cli.py` adds them to the command `taskmanager`.

A command imports what it needs when it runs, so that `taskmanager --help` is fast. For the same reason the commands of
features are found in `features/<name>/commands.py` and not by their Feature objects, which name the same ones, and the
commands of plugins are under `taskmanager x`, which loads a plugin when the command line names it.
"""

import json
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from taskmanager import features

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from taskmanager.core.configuration.settings import KeySettings, Settings

_KEEP_AFTER_TOKENS_SECONDS = 3600  # margin for differing clocks


class Environment(NamedTuple):
    """The functions by which a command gets all settings, those of keys alone, and a connection to the servers."""

    load_settings: "Callable[[], Settings]"
    load_keys: "Callable[[], KeySettings]"
    connect: "Callable[[], Settings]"


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def group() -> None:
    """Hold the commands of the package."""


@group.command()
def openapi() -> None:
    """Print the OpenAPI document of version 1."""
    import orjson

    from taskmanager.app import api_document

    click.echo(orjson.dumps(api_document(), option=orjson.OPT_INDENT_2).decode())


@group.group()
def gateway() -> None:
    """Manage the gateway."""


@gateway.command()
@click.pass_obj
def render(environment: Environment) -> None:
    """Print the configuration of NGINX, from the settings `TASKMANAGER_GATEWAY_…` and from the routes."""
    from taskmanager.app import routing_app
    from taskmanager.core.configuration.gateway_settings import GatewaySettings
    from taskmanager.core.configuration.settings import build
    from taskmanager.gateway import rendering

    settings = environment.load_settings()
    click.echo(rendering.render(routing_app(settings), settings, build(GatewaySettings)), nl=False)


@group.group()
def keys() -> None:
    """Manage the keys that sign access tokens."""


@keys.command()
@click.pass_obj
def create(environment: Environment) -> None:
    """Create a key, the first or another one; the older keys still verify."""
    from taskmanager.core.security import keyring

    click.echo(keyring.create(environment.load_keys().keys_path))


@keys.command()
@click.pass_obj
def rotate(environment: Environment) -> None:
    """Create a new key, and delete those whose tokens have all expired.

    Running processes load the new key by themselves; it signs after some seconds.
    """
    from taskmanager.core.security import keyring

    settings = environment.load_keys()
    keep = settings.access_token_minutes * 60 + _KEEP_AFTER_TOKENS_SECONDS
    new, removed = keyring.rotate(settings.keys_path, keep)
    click.echo(f"{new} made")
    for kid in removed:
        click.echo(f"{kid} removed")


@keys.command("list")
@_json
@click.pass_obj
def list_keys(environment: Environment, as_json: bool) -> None:
    """List the keys: id, time of creation, and state (signing, settling or verifying)."""
    from taskmanager.core.clock import iso
    from taskmanager.core.security import keyring

    found = keyring.described(environment.load_keys().keys_path)
    if as_json:
        names = ("kid", "made_at", "state")
        return click.echo(json.dumps([dict(zip(names, one, strict=True)) for one in found], indent=1, default=iso))
    for kid, made, state in found:
        click.echo(f"{kid}  {iso(made)}  {state}")
    return None


@group.group()
def events() -> None:
    """Manage the event log."""


@events.command("list")
@click.option("--waiting", is_flag=True, help="Those that wait, in place of those that were given up.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many to list, newest first.")
@_json
@click.pass_obj
def list_events(environment: Environment, waiting: bool, limit: int, as_json: bool) -> None:
    """List the events that were given up: id, time, kind, stream, attempts, listeners that have not finished."""
    from taskmanager.core.events import queue_report

    environment.connect()
    rows = queue_report.events(waiting=waiting, limit=limit)
    if as_json:
        return click.echo(json.dumps(rows, indent=1))
    for row in rows:
        click.echo("  ".join(str(value) for value in row.values()))
    return None


@events.command()
@_json
@click.pass_obj
def revive(environment: Environment, as_json: bool) -> None:
    """Dispatch again the events that were given up because their listeners failed."""
    from taskmanager.core.events import outbox

    environment.connect()
    number = outbox.revive()
    click.echo(json.dumps({"revived": number}) if as_json else f"{number} to be dispatched again.")


@group.command()
@_json
@click.pass_obj
def schedules(environment: Environment, as_json: bool) -> None:
    """List what happens at a certain time: periodic jobs, planned deliveries, and collections that expire."""
    from taskmanager.core.clock import iso
    from taskmanager.core.events import schedule
    from taskmanager.core.storage import database
    from taskmanager.features.notifications.delivery import report as delivery_report

    environment.connect()
    rows: list[dict[str, Any]] = [
        {"what": job.name, "every": f"every {job.seconds:g} s", "ran": due and due.ran_at, "due": due and due.due_at}
        for job, due in schedule.listed()
    ]
    number, first = delivery_report.planned()
    rows.append({"what": "digests, second attempts", "every": f"by the relay, {number} planned", "due": first})
    rows += [{"what": name, "every": "by MongoDB, each at its time"} for name in database.expiring_collections()]
    if as_json:
        return click.echo(json.dumps(rows, indent=1, default=iso))
    for row in rows:
        times = [f"{name} {iso(row[name]) if row[name] else 'never'}" for name in ("ran", "due") if name in row]
        click.echo("  ".join([f"{row['what']:26}", str(row["every"]), *times]))
    return None


@group.command()
@_json
@click.pass_obj
def plugins(environment: Environment, as_json: bool) -> None:
    """List the plugins: name, version, version of the plugin interface, and contributions."""
    from taskmanager.feature import described
    from taskmanager.plugins import load

    found = [described(plugin) for plugin in load(environment.load_settings())]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        click.echo(f"{one['name']} {one['version']} (interface {one['interface']})")
        for part, names in one["adds"].items():
            click.echo(f"  {part.replace('_', ' ')}: {', '.join(names)}")
    if not found:
        click.echo("No plugins are loaded.")


class PluginGroups(click.Group):
    """A group of commands for each installed plugin. Only the commands of a group load its plugin."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from taskmanager.plugin_names import installed

        return [point.name for point in installed()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from taskmanager.plugin_names import installed

        environment = ctx.find_object(Environment)
        if environment and not environment.load_settings().plugins_enabled:
            raise click.ClickException("Plugins are turned off (TASKMANAGER_PLUGINS_ENABLED): no command of one runs.")
        return next((PluginGroup(point) for point in installed() if point.name == cmd_name), None)


class PluginGroup(click.Group):
    """The commands of one plugin, which is loaded for each of them, and for their list."""

    def __init__(self, point: "EntryPoint") -> None:
        super().__init__(point.name, help=f"Commands of the plugin {point.name}.")
        self._point = point

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._commands().get(cmd_name)

    def _commands(self) -> dict[str, click.Command]:
        from taskmanager.plugins import loaded

        return {command.name or "": command for command in loaded(self._point).commands}


def _commands_of_features() -> Iterator[click.Command]:
    for found in pkgutil.iter_modules(features.__path__):
        name = f"{features.__name__}.{found.name}.commands"
        if find_spec(name):
            yield from import_module(name).COMMANDS


for _command in (*_commands_of_features(), PluginGroups("x", help="Commands of plugins: a group for each.")):
    group.add_command(_command)
