"""`taskmanager deliveries …`: list, show, replay and purge deliveries. A command imports what it needs when it runs."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bson import ObjectId

_STATES = ("pending", "sent", "dead", "cancelled")  # as `models.STATES`, without the imports of that module


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def deliveries() -> None:
    """List, show, replay and purge deliveries."""


@deliveries.command("list")
@click.option(
    "--state",
    type=click.Choice(_STATES),
    default="dead",
    help="The state; dead (given up) by default.",
)
@click.option("--channel", help="Only deliveries of this channel, such as email or webhook.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many to list, newest first.")
@_json
@click.pass_obj
def list_deliveries(environment: Any, state: str, channel: str | None, limit: int, as_json: bool) -> None:
    """List deliveries: id, time of creation, channel, kind, recipient, attempts, last error."""
    from taskmanager.core.clock import iso
    from taskmanager.features.notifications.models import Delivery

    environment.connect()
    found = (
        Delivery.objects(state=state, **({"channel": channel} if channel else {}))
        .order_by("-created_at", "-id")
        .limit(limit)
    )
    names = ("channel", "kind", "recipient_id", "attempts", "last_error")
    rows = [
        {"id": row.id, "created_at": iso(row.created_at)} | {name: getattr(row, name) for name in names}
        for row in found
    ]
    if as_json:
        return click.echo(json.dumps(rows, indent=1, default=str))
    for columns in rows:
        click.echo("  ".join(str(column) for column in columns.values()))
    return None


@deliveries.command()
@click.argument("delivery_id")
@click.pass_obj
def show(environment: Any, delivery_id: str) -> None:
    """Show one delivery with all its fields, as JSON."""
    import orjson

    from taskmanager.core.events.log import plain
    from taskmanager.features.notifications.models import Delivery

    environment.connect()
    row = Delivery.objects(id=_id(delivery_id)).as_pymongo().first()
    if row is None:
        raise click.ClickException("There is no such delivery.")
    click.echo(orjson.dumps(plain(row), option=orjson.OPT_INDENT_2).decode())


@deliveries.command()
@click.argument("delivery_id", required=False)
@click.option("--all", "every", is_flag=True, help="All dead deliveries.")
@_json
@click.pass_obj
def replay(environment: Any, delivery_id: str | None, every: bool, as_json: bool) -> None:
    """Send all dead deliveries again, or one delivery that is sent, dead or cancelled."""
    from taskmanager.features.notifications.delivery import service
    from taskmanager.features.notifications.models import Delivery

    environment.connect()
    if every == bool(delivery_id):
        raise click.UsageError("Give the id of a delivery, or --all.")
    ids = list(Delivery.objects(state="dead").scalar("id")) if every else [_id(delivery_id or "")]
    done = sum(service.replay(item) for item in ids)
    if not done and delivery_id:
        raise click.ClickException("There is no such delivery, or it is still pending.")
    click.echo(json.dumps({"replayed": done}) if as_json else f"{done} scheduled to be sent again.")


@deliveries.command()
@click.option(
    "--days",
    type=click.IntRange(0, 36_500),
    default=30,
    help="Only deliveries that have been dead for so many days.",
)
@click.confirmation_option(prompt="Delete them permanently?")
@_json
@click.pass_obj
def purge(environment: Any, days: int, as_json: bool) -> None:
    """Delete dead deliveries."""
    from datetime import timedelta

    from taskmanager.core.clock import now
    from taskmanager.features.notifications.delivery import service

    environment.connect()
    deleted = service.purge(now() - timedelta(days=days))
    click.echo(json.dumps({"deleted": deleted}) if as_json else f"{deleted} deleted.")


def _id(text: str) -> "ObjectId":
    from bson import ObjectId
    from bson.errors import InvalidId

    try:
        return ObjectId(text)
    except InvalidId:
        raise click.ClickException("An id has 24 hexadecimal digits.") from None


COMMANDS = (deliveries,)
