"""The recovery of an account: its webhooks."""

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users.holdings import MAX_STEP, Recovery
from taskmanager.features.webhooks.events import WebhookDeleted, WebhookUpdated
from taskmanager.features.webhooks.models import Webhook


@unit_of_work
def recover(recovery: Recovery) -> int:
    """Delete the webhooks that an earlier holder of the account made, and turn the others off, MAX_STEP of each.

    Return how many of both there were.
    """
    untouched = Webhook.objects(owner_id=recovery.user.id, updated_at__lt=recovery.at)
    older, newer = recovery.of_earlier_holder(untouched), recovery.of_owner(untouched.filter(active=True))
    number = older.count() + newer.count()
    actor = Actor(recovery.user.id)
    _delete(list(older.limit(MAX_STEP)), actor)
    _turn_off(list(newer.limit(MAX_STEP)), actor)
    return number


def _delete(webhooks: list[Webhook], actor: Actor) -> None:
    """Delete these webhooks; their pending deliveries are not sent."""
    Webhook.objects(id__in=[webhook.id for webhook in webhooks]).delete()
    for webhook in webhooks:
        record(WebhookDeleted(webhook, actor))


def _turn_off(webhooks: list[Webhook], actor: Actor) -> None:
    """Turn these webhooks off, until a user turns them on again."""
    Webhook.write_all(webhooks, active=False)
    for webhook in webhooks:
        record(WebhookUpdated(webhook, actor, ["active"]))
