"""The permissions of each project role on attachments."""

from taskmanager.features.projects.permissions import RoleAction


class AttachmentAction(RoleAction):
    """Actions on attachments."""

    ADD = "attachment:add", "member"
    DELETE_ANY = "attachment:delete_any", "manager"
