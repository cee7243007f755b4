"""The permission to manage the webhooks of a project: their log shows the events of the project."""

from taskmanager.features.projects.permissions import RoleAction


class WebhookAction(RoleAction):
    """Actions on the webhooks of a project."""

    MANAGE = "webhooks:manage", "manager", True
