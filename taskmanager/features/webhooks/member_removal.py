"""Webhooks of projects whose owner has left the project or is disabled.

Their URL was chosen by a former member. So they are turned off and given to an owner of the project, who decides.
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

_BECAUSE = "Its owner left the project or is disabled. You own it now."


def pass_on(user_id: ObjectId, project_id: ObjectId | None = None) -> None:
    """Turn off the webhooks that an account owns in one project or all, and give them to owners of the projects.

    Webhooks of an active member of the project stay. Safe to repeat.
    """
    in_project = {"project_id": project_id} if project_id else {"project_id__ne": None}
    for webhook in list(Webhook.objects(owner_id=user_id, **in_project)):
        pass_on_one(webhook.id)


@unit_of_work
def pass_on_one(webhook_id: ObjectId) -> None:
    """Turn off one webhook and give it to the longest-standing active owner of the project; delete it without one."""
    webhook = Webhook.objects(id=webhook_id, project_id__ne=None).first()
    if webhook is None or _owner_is_active_member(webhook):
        return
    owner_id = _first_active_owner(webhook.project_id)
    if owner_id is None:
        webhook.delete()
        record(WebhookDeleted(webhook, None))
        return
    webhook = webhook.write(owner_id=owner_id, disabled_at=now(), disabled_because=_BECAUSE)
    record(WebhookDisabled(webhook, None))


def _owner_is_active_member(webhook: Webhook) -> bool:
    owner = [webhook.owner_id]
    return members.are_members(webhook.project_id, owner) and bool(users.active_user_ids(owner))


def _first_active_owner(project_id: ObjectId) -> ObjectId | None:
    owners = list(Membership.objects(project_id=project_id, role="owner").order_by("id").scalar("user_id"))
    active = users.active_user_ids(owners)
    return next((user_id for user_id in owners if user_id in active), None)
