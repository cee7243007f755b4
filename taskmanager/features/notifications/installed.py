"""The channels that come with the service; they use the same door as those of plugins."""

from taskmanager.features.notifications import channels
from taskmanager.features.notifications.apprise_channels import ChatChannel, SmsChannel
from taskmanager.features.notifications.email_channel import EmailChannel
from taskmanager.features.notifications.in_app_channel import InAppChannel

channels.register(EmailChannel())
channels.register(InAppChannel())
channels.register(SmsChannel())
channels.register(ChatChannel())
