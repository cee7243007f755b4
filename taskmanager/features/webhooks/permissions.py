"""Who manages the webhooks of a project: whoever reads their log reads the project's events."""

from taskmanager.features.projects.permissions import RoleAction


class WebhookAction(RoleAction):
    """On the webhooks of a project."""

    MANAGE = "webhooks:manage", "manager", True
