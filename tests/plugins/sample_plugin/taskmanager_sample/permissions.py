"""Which project roles may do what."""

from taskmanager.features.projects.permissions import RoleAction


class SampleAction(RoleAction):
    """On greetings."""

    GREET = "sample:greet", "commenter"
