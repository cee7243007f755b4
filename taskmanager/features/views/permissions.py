"""The permissions of each project role on shared views."""

from taskmanager.features.projects.permissions import RoleAction


class ViewAction(RoleAction):
    """Actions on views that are shared with a project; users need no permission for their own views."""

    SHARE = "views:share", "member"
    MANAGE = "views:manage", "manager"
