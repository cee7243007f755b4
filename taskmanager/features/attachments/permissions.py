"""What each project role may do to attachments, as a table."""

from taskmanager.features.projects.permissions import RoleAction


class AttachmentAction(RoleAction):
    """On attachments."""

    ADD = "attachment:add", "member"
    DELETE_ANY = "attachment:delete_any", "manager"
