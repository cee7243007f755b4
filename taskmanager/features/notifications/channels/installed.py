"""The channels that come with the service; they use the same door as those of plugins."""

from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.channels.apprise_channels import ChatChannel, SmsChannel
from taskmanager.features.notifications.channels.email_channel import EmailChannel
from taskmanager.features.notifications.channels.in_app import InAppChannel

channels.register(EmailChannel())
channels.register(InAppChannel())
channels.register(SmsChannel())
channels.register(ChatChannel())
