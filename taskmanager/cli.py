"""Commands that need none of the processes; `workers/cli.py` takes them into the command `taskmanager`."""

from collections.abc import Callable

import click
import orjson

from taskmanager.api.v1 import V1
from taskmanager.core import keyring
from taskmanager.core.settings import Settings


@click.group()
def group() -> None:
    """Commands of the package."""


@group.command()
def openapi() -> None:
    """Print the OpenAPI document of version 1."""
    click.echo(orjson.dumps(V1.document(), option=orjson.OPT_INDENT_2).decode())


@group.group()
def keys() -> None:
    """The keys that sign access tokens."""


@keys.command()
@click.pass_obj
def create(load: Callable[[], Settings]) -> None:
    """Make a key, which signs from the next start on; the older ones still verify."""
    click.echo(keyring.create(load().keys_path))
