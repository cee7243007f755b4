"""What users are notified of, and by which channels."""

from taskmanager.core.events.erasure import EventRenewal
from taskmanager.core.events.log import Listener
from taskmanager.core.events.outbox import JobSource
from taskmanager.core.events.retention import EventNeed
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.core.jobs import Job
from taskmanager.feature import Feature, declared
from taskmanager.features.notifications import commands, errors, listeners, routes
from taskmanager.features.notifications.channels.apprise_channels import ChatChannel, SmsChannel
from taskmanager.features.notifications.channels.email_channel import EmailChannel
from taskmanager.features.notifications.channels.in_app import InAppChannel
from taskmanager.features.notifications.content import accounts, addresses, invitations, members, tasks
from taskmanager.features.notifications.content.registry import NoticeWriter
from taskmanager.features.notifications.delivery import retention, service as deliveries
from taskmanager.features.notifications.kinds import OWN_KINDS
from taskmanager.features.notifications.phones import routes as phone_routes, service as phones

FEATURE = Feature(
    "notifications",
    errors=errors.CODES,
    service="notification",
    blueprints=(routes.blp, phone_routes.blp),
    listeners=declared(Listener, listeners),
    periodic_jobs=declared(PeriodicJob, listeners),
    jobs=(Job(deliveries.SEND, deliveries.send),),
    job_sources=declared(JobSource, deliveries),
    event_needs=(EventNeed("notifications", retention.needed),),
    event_renewals=(EventRenewal("notifications", retention.refresh_notices),),
    channels=(EmailChannel(), InAppChannel(), SmsChannel(), ChatChannel()),
    notices=declared(NoticeWriter, accounts, addresses, invitations, members, tasks, phones),
    notification_kinds=OWN_KINDS,
    commands=commands.COMMANDS,
    scopes=("notifications:read", "notifications:write"),
)
