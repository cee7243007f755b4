"""Webhooks of projects whose maker has left the project, or may not act any more.

Where they go was chosen by who has left, so they are turned off, and given to an owner, who decides.
"""

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events.log import record
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Membership
from taskmanager.features.users import service as users
from taskmanager.features.webhooks.events import WebhookDeleted, WebhookDisabled
from taskmanager.features.webhooks.models import Webhook

_BECAUSE = "Who made it is no member of the project any more, or may not act. It is yours now."


def pass_on(user_id: ObjectId, project_id: ObjectId | None = None) -> None:
    """Turn the webhooks that an account made for a project, or for any, off and give them to an owner.

    Those of an account that is a member of the project and may act stay. Safe to repeat.
    """
    place = {"project_id": project_id} if project_id else {"project_id__ne": None}
    for webhook in list(Webhook.objects(owner_id=user_id, **place)):
        pass_on_one(webhook.id)


@unit_of_work
def pass_on_one(webhook_id: ObjectId) -> None:
    """Turn one webhook off and give it to the longest owner of its project; delete it when there is none."""
    webhook = Webhook.objects(id=webhook_id, project_id__ne=None).first()
    if webhook is None or _stays(webhook):
        return
    owner_id = _owner_of(webhook.project_id)
    if owner_id is None:
        webhook.delete()
        record(WebhookDeleted(webhook, None))
        return
    webhook = webhook.write(owner_id=owner_id, disabled_at=now(), disabled_because=_BECAUSE)
    record(WebhookDisabled(webhook, None))


def _stays(webhook: Webhook) -> bool:
    owner = [webhook.owner_id]
    return members.are_members(webhook.project_id, owner) and bool(users.active_user_ids(owner))


def _owner_of(project_id: ObjectId) -> ObjectId | None:
    owners = list(Membership.objects(project_id=project_id, role="owner").order_by("id").scalar("user_id"))
    active = users.active_user_ids(owners)
    return next((user_id for user_id in owners if user_id in active), None)
