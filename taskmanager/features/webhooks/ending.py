"""What becomes of webhooks when their owner recovers the account or loses what they tell."""

from collections.abc import Iterable
from datetime import datetime

from taskmanager.core.access import Actor
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.users.holdings import is_of_earlier_holder
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.events import WebhookDeleted, WebhookUpdated
from taskmanager.features.webhooks.models import Webhook


@unit_of_work
def delete_all(webhooks: Iterable[Webhook], *, actor: Actor) -> int:
    """Delete these webhooks; what waits to be sent to them is not sent. Return how many."""
    found = list(webhooks)
    for webhook in found:
        webhook.delete()
        record(WebhookDeleted(webhook, actor))
    return len(found)


@unit_of_work
def turn_off_all(webhooks: Iterable[Webhook], *, actor: Actor) -> int:
    """Turn these webhooks off, until a user turns them on again. Return how many."""
    found = [webhook for webhook in webhooks if webhook.active]
    for webhook in found:
        differences = webhook.differences({"active": False})
        record(WebhookUpdated(webhook.write(active=False), actor, differences))
    return len(found)


@unit_of_work
def recover(user: User, proved_at: datetime | None) -> int:
    """Delete the webhooks that an earlier holder of the account made, and turn the others off. Return how many."""
    actor, older, newer = Actor(user.id), [], []
    for webhook in Webhook.objects(owner_id=user.id):
        (older if is_of_earlier_holder(webhook.created_at, proved_at) else newer).append(webhook)
    return delete_all(older, actor=actor) + turn_off_all(newer, actor=actor)
