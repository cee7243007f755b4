"""The error codes of saved views."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "view.not_yours",
        403,
        "The view is of another user",
        "Only the owner of a view, and managers of its project, can change it.",
        "Save a view of your own.",
        "update_view delete_view update_project_view delete_project_view",
    ),
    ErrorCode(
        "view.no_project",
        409,
        "Only a view of a project can be shared",
        "The view has no project, so there are no members to share it with.",
        "Save it with POST /projects/{id}/views.",
        "create_view update_view",
    ),
)
