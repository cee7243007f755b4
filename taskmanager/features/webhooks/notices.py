"""Notices about webhooks: that one was made, and that one was disabled.

They go to its owner; that one was disabled goes to the project's owners when its own has left, or may not act.
"""

from taskmanager.core.events.log import Event
from taskmanager.features.notifications.content.quoting import words
from taskmanager.features.notifications.content.registry import Notice, url, writes
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Membership
from taskmanager.features.users import service as users
from taskmanager.features.webhooks.models import Webhook


@writes("webhook.created")
def created(event: Event) -> list[Notice]:
    """Return tells the account in whose name it was made, always: it may have been another person."""
    webhook = Webhook.objects(id=event.subject_id).first()
    card = webhook and users.public_profiles([webhook.owner_id]).get(webhook.owner_id)
    if not webhook or not card or not card["email"]:
        return []
    text = (
        f"a webhook was made in your name. It is sent what happens, at:\n\n    {webhook.url}\n\n"
        "If that was not you, reset your password: that ends what others may have set up.\n"
    )
    return [Notice(webhook.owner_id, card, "A webhook was made", text)]


@writes("webhook.disabled")
def disabled(event: Event) -> list[Notice]:
    """Return says why, and how to turn it on again."""
    webhook = Webhook.objects(id=event.subject_id).first()
    if webhook is None or webhook.disabled_at is None:
        return []
    owners = [webhook.owner_id]
    if webhook.project_id and not (members.are_members(webhook.project_id, owners) and users.active_user_ids(owners)):
        owners = list(Membership.objects(project_id=webhook.project_id, role="owner").scalar("user_id"))
    text = (
        f"nothing is sent to this webhook any more:\n\n    {words(webhook.url)}\n\n{webhook.disabled_because}\n\n"
        "What was not delivered is kept for some time and can be replayed. To turn the webhook on again, send\n"
        f'{{"active": true}} to\n\n{url(f"/webhooks/{webhook.id}")}\n'
    )
    profiles = users.public_profiles(owners)
    subject = "A webhook was disabled"
    return [
        Notice(user_id, profiles[user_id], subject, text, "webhook.disabled", webhook.project_id)
        for user_id in owners
        if user_id in profiles
    ]
