"""The permissions of each project role on tasks."""

from taskmanager.features.projects.permissions import RoleAction


class TaskAction(RoleAction):
    """Actions on tasks."""

    READ = "task:read", "viewer", True
    CREATE = "task:create", "member"
    EDIT = "task:edit", "member"
    COMPLETE = "task:complete", "member"
    FORCE = "task:force", "owner"  # complete a blocked task
    WATCH = "task:watch", "viewer"
    SET_WATCHERS = "task:set_watchers", "member"  # of other users
    DELETE = "task:delete", "member"
    RESTORE = "task:restore", "member"  # needed to see the trash too
    PURGE = "task:purge", "manager"
