"""The permissions of each project role on comments."""

from taskmanager.features.projects.permissions import RoleAction


class CommentAction(RoleAction):
    """Actions on comments. Users may change their own comments while they may write comments."""

    WRITE = "comment:write", "commenter"
    DELETE_ANY = "comment:delete_any", "manager"
