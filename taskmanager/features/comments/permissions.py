"""What each project role may do to comments, as a table."""

from taskmanager.features.projects.permissions import RoleAction


class CommentAction(RoleAction):
    """On comments. Users may change what they wrote while they may still write."""

    WRITE = "comment:write", "commenter"
    DELETE_ANY = "comment:delete_any", "manager"
