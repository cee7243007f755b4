"""What the plugin adds."""

from taskmanager.feature import Feature
from taskmanager_rabbitmq import commands
from taskmanager_rabbitmq.settings import RabbitSettings

FEATURE = Feature(
    "rabbitmq",
    requires="1.0",
    commands=(commands.publish, commands.status, commands.rewind),
    settings=RabbitSettings,
)
