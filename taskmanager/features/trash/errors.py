"""The error codes of the trash."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "task.parent_in_trash",
        409,
        "The parent is in the trash",
        "A subtask is restored with its parent.",
        "Restore the parent.",
        "restore_task",
    ),
)
