"""`taskmanager deliveries …`: what was told to whom, for operators. What a command needs is imported when it runs."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bson import ObjectId

_STATES = ("pending", "sent", "dead", "cancelled")  # those of `models.STATES`, without what that imports


@click.group()
def deliveries() -> None:
    """Show deliveries: what was sent to whom, what waits, and what was given up."""


@deliveries.command("list")
@click.option("--state", type=click.Choice(_STATES), default="dead", help="Which ones; those given up by default.")
@click.option("--channel", help="Of one channel only, such as email or webhook.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many at most, the newest first.")
@click.pass_obj
def list_deliveries(environment: Any, state: str, channel: str | None, limit: int) -> None:
    """List deliveries: id, when, channel, kind, recipient, attempts, last error."""
    from taskmanager.core.clock import iso
    from taskmanager.features.notifications.models import Delivery

    environment.connect()
    found = (
        Delivery.objects(state=state, **({"channel": channel} if channel else {}))
        .order_by("-created_at", "-id")
        .limit(limit)
    )
    for row in found:
        words = [row.id, iso(row.created_at), row.channel, row.kind, row.recipient_id, row.attempts, row.last_error]
        click.echo("  ".join(str(word) for word in words))


@deliveries.command()
@click.argument("delivery_id")
@click.pass_obj
def show(environment: Any, delivery_id: str) -> None:
    """Show all there is to know about one delivery, as JSON."""
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
@click.option("--all", "every", is_flag=True, help="All that were given up.")
@click.pass_obj
def replay(environment: Any, delivery_id: str | None, every: bool) -> None:
    """Send again what was given up, or one delivery whatever became of it."""
    from taskmanager.features.notifications.delivery import service
    from taskmanager.features.notifications.models import Delivery

    environment.connect()
    if every == bool(delivery_id):
        raise click.UsageError("Give the id of a delivery, or --all.")
    ids = list(Delivery.objects(state="dead").scalar("id")) if every else [_id(delivery_id or "")]
    done = sum(service.replay(item) for item in ids)
    if not done and delivery_id:
        raise click.ClickException("There is no such delivery, or it is still being tried.")
    click.echo(f"{done} to be sent again.")


@deliveries.command()
@click.option(
    "--days", type=click.IntRange(0, 36_500), default=30, help="Only what was given up so many days ago or earlier."
)
@click.confirmation_option(prompt="Forget them for good?")
@click.pass_obj
def purge(environment: Any, days: int) -> None:
    """Forget what was given up."""
    from datetime import timedelta

    from taskmanager.core.clock import now
    from taskmanager.features.notifications.delivery import service

    environment.connect()
    click.echo(f"{service.purge(now() - timedelta(days=days))} forgotten.")


def _id(text: str) -> "ObjectId":
    from bson import ObjectId
    from bson.errors import InvalidId

    try:
        return ObjectId(text)
    except InvalidId:
        raise click.ClickException("An id has 24 hexadecimal digits.") from None


COMMANDS = (deliveries,)
