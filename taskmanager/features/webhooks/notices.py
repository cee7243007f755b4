"""Notices about webhooks: that one was created, and that one was disabled.

They are for the owner of the webhook. When that account has left the project or is disabled, the owners of the project
are notified that the webhook was disabled.
"""

from taskmanager.core.events.log import Event
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import Notice, api_url, writes
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Membership
from taskmanager.features.users import service as users
from taskmanager.features.webhooks.models import Webhook


@writes("webhook.created")
def created(event: Event) -> list[Notice]:
    """Notify the owner of a new webhook, always: a stranger may have created it in their name."""
    webhook = Webhook.objects(id=event.subject_id).first()
    profile = webhook and users.public_profiles([webhook.owner_id]).get(webhook.owner_id)
    if not webhook or not profile or not profile["email"]:
        return []
    text = (
        f"a webhook was created in your name. Events are sent to:\n\n    {webhook.url}\n\n"
        "If that was not you, reset your password: that ends what others may have set up.\n"
    )
    return [Notice(webhook.owner_id, profile, "A webhook was created", text)]


@writes("webhook.disabled")
def disabled(event: Event) -> list[Notice]:
    """Notify the owners why a webhook was disabled, and how to turn it on again."""
    webhook = Webhook.objects(id=event.subject_id).first()
    if webhook is None or webhook.disabled_at is None:
        return []
    owners = [webhook.owner_id]
    if webhook.project_id and not (members.are_members(webhook.project_id, owners) and users.active_user_ids(owners)):
        owners = list(Membership.objects(project_id=webhook.project_id, role="owner").scalar("user_id"))
    text = (
        f"events are no longer sent to this webhook:\n\n    {inline(webhook.url)}\n\n{webhook.disabled_because}\n\n"
        "Undelivered events are kept for some time and can be replayed. To turn the webhook on again, send\n"
        f'{{"active": true}} to\n\n{api_url(f"/webhooks/{webhook.id}")}\n'
    )
    profiles = users.public_profiles(owners)
    subject = "A webhook was disabled"
    return [
        Notice(user_id, profiles[user_id], subject, text, "webhook.disabled", webhook.project_id)
        for user_id in owners
        if user_id in profiles
    ]
