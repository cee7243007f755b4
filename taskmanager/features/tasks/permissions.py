"""What each project role may do to a task, as a table."""

from taskmanager.features.projects.permissions import RoleAction


class TaskAction(RoleAction):
    """On tasks."""

    READ = "task:read", "viewer", True
    CREATE = "task:create", "member"
    EDIT = "task:edit", "member"
    COMPLETE = "task:complete", "member"
    FORCE = "task:force", "owner"  # completing what is blocked
    WATCH = "task:watch", "viewer"
    SET_WATCHERS = "task:set_watchers", "member"  # of others
    DELETE = "task:delete", "member"
    RESTORE = "task:restore", "member"  # who may not restore does not see the trash either
    PURGE = "task:purge", "manager"
