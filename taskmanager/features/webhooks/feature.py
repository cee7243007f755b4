"""Webhooks: requests that notify programs of events."""

from taskmanager.core.events.erasure import EventRenewal
from taskmanager.core.events.log import Listener
from taskmanager.core.events.retention import EventNeed
from taskmanager.feature import Feature, declared
from taskmanager.features.notifications.content.registry import NoticeWriter
from taskmanager.features.webhooks import errors, listeners, notices, routes
from taskmanager.features.webhooks.delivery import retention
from taskmanager.features.webhooks.delivery.channel import WebhookChannel
from taskmanager.features.webhooks.kinds import OWN_KINDS
from taskmanager.features.webhooks.permissions import WebhookAction

FEATURE = Feature(
    "webhooks",
    errors=errors.CODES,
    service="notification",
    blueprints=(routes.blp,),
    listeners=declared(Listener, listeners),
    event_needs=(EventNeed("webhooks", retention.needed),),
    event_renewals=(EventRenewal("webhooks", retention.refresh_bodies),),
    channels=(WebhookChannel(),),
    notices=declared(NoticeWriter, notices),
    webhook_kinds=OWN_KINDS,
    scopes=("webhooks:read", "webhooks:write"),
    permissions=(WebhookAction,),
)
