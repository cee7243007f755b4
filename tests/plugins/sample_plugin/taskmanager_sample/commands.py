"""`taskmanager x sample …`. What a command needs is imported when it runs."""

from typing import Any

import click


@click.command()
@click.pass_obj
def count(environment: Any) -> None:
    """Say how many greetings are stored."""
    from taskmanager_sample.models import Greeting

    environment.connect()
    click.echo(f"{Greeting.objects.count()} greetings")
