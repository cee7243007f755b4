"""Maintenance and the message of the day."""

from taskmanager.feature import Feature
from taskmanager.features.operations import commands, routes
from taskmanager.features.operations.permissions import OperationsAction

FEATURE = Feature(
    "operations",
    service="user",
    blueprints=(routes.blp,),
    commands=commands.COMMANDS,
    permissions=(OperationsAction,),
)
