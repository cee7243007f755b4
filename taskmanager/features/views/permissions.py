"""What each project role may do to shared views, as a table."""

from taskmanager.features.projects.permissions import RoleAction


class ViewAction(RoleAction):
    """On views that are shared with a project; one's own need no permission."""

    SHARE = "views:share", "member"
    MANAGE = "views:manage", "manager"
