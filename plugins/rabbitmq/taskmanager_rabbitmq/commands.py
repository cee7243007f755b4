"""`taskmanager x rabbitmq …`."""

from typing import Any

import click


@click.command()
@click.pass_obj
def publish(environment: Any) -> None:
    """Publish events until SIGTERM. Several processes may run: one works, the others stand by."""
    from taskmanager.feature import settings_of
    from taskmanager_rabbitmq.publisher import PublisherProcess
    from taskmanager_rabbitmq.settings import RabbitSettings

    environment.connect()
    PublisherProcess(settings_of(RabbitSettings)).run()


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(environment: Any, as_json: bool) -> None:
    """Say how far the log is published."""
    import json

    from taskmanager.core.events import positions
    from taskmanager_rabbitmq.publisher import cursor

    environment.connect()
    last, head = cursor(), positions.head()
    found = {"published": last, "last": head, "behind": head - last}
    click.echo(json.dumps(found) if as_json else f"Published up to {last} of {head}: {head - last} behind.")


@click.command()
@click.argument("position", type=click.IntRange(min=0))
@click.pass_obj
def rewind(environment: Any, position: int) -> None:
    """Publish all events behind POSITION again; 0 means all that the log still has."""
    from taskmanager.core.events import positions
    from taskmanager_rabbitmq.publisher import rewind as rewind_to

    environment.connect()
    if position > (head := positions.head()):
        raise click.ClickException(f"The last event has position {head}: all up to {position} would be left out.")
    rewind_to(position)
    click.echo(f"Events behind {position} are published again.")
