"""The error codes of copies of projects."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "project.too_large",
        409,
        "The project has too many tasks to be copied",
        "A copy is made in one transaction, whose size is limited.",
        "Copy without tasks, or delete some first.",
        "copy_project",
    ),
)
