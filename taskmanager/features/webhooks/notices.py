"""Notices about webhooks: that one was created, and that one was disabled.

They are for the owner of the webhook. When that account has left the project or is disabled, the owners of the project
are notified that the webhook was disabled.
"""

from taskmanager.core.events.log import Event
from taskmanager.core.http import links
from taskmanager.core.localization import languages
from taskmanager.core.localization.languages import gettext
from taskmanager.features.notifications.content.quoting import inline
from taskmanager.features.notifications.content.registry import Notice, call_to_action, writes
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
    with languages.using(users.locales([webhook.owner_id]).get(webhook.owner_id)):
        first = gettext("a webhook was created in your name. Events are sent to:")
        call = call_to_action(gettext("Set a new password"), links.forgotten_password())
        last = gettext("If that was not you, reset your password: that ends what others may have set up.")
        text = f"{first}\n\n    {webhook.url}\n\n{last}\n\n{call}\n"
        return [Notice(webhook.owner_id, profile, gettext("A webhook was created"), text, call=call)]


@writes("webhook.disabled")
def disabled(event: Event) -> list[Notice]:
    """Notify the owners why a webhook was disabled, and how to turn it on again."""
    webhook = Webhook.objects(id=event.subject_id).first()
    if webhook is None or webhook.disabled_at is None:
        return []
    owners = [webhook.owner_id]
    if webhook.project_id and not (members.are_members(webhook.project_id, owners) and users.active_user_ids(owners)):
        owners = list(Membership.objects(project_id=webhook.project_id, role="owner").scalar("user_id"))
    profiles, locales = users.public_profiles(owners), users.locales(owners)
    notices = []
    for user_id in (one for one in owners if one in profiles):
        with languages.using(locales.get(user_id)):
            subject, text = gettext("A webhook was disabled"), _disabled(webhook)
            notices.append(Notice(user_id, profiles[user_id], subject, text, "webhook.disabled", webhook.project_id))
    return notices


def _disabled(webhook: Webhook) -> str:
    """Return the text; it names a request of the API, because only programs have webhooks."""
    first = gettext("events are no longer sent to this webhook:")
    again = gettext(
        "Undelivered events are kept for some time and can be replayed. To turn the webhook on again, send"
        " %(body)s by PATCH to",
        body='{"active": true}',
    )
    url = links.api(f"/webhooks/{webhook.id}")
    return f"{first}\n\n    {inline(webhook.url)}\n\n{webhook.disabled_because}\n\n{again}\n\n{url}\n"
