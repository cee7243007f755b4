"""The error codes of attachments."""

from taskmanager.core.error_codes import ErrorCode, invalid

CODES = (
    ErrorCode(
        "attachment.too_large",
        413,
        "The file is too large",
        "The operator limits the bytes of a file.",
        "Send a smaller file.",
        "add_attachment",
    ),
    ErrorCode(
        "attachment.too_many",
        409,
        "The task has too many attachments",
        "A task has a limit of attachments.",
        "Delete one that is no longer needed.",
        "add_attachment",
    ),
    ErrorCode(
        "attachment.none_taken",
        409,
        "The service accepts no attachments",
        "The operator has turned files off.",
        "Link to a file elsewhere.",
        "add_attachment",
    ),
    invalid(
        "attachment.type_refused",
        "Files of this type are refused",
        "The name or the content of the file is of a type that the operator does not accept.",
        "Send another type, as the message says.",
        "add_attachment",
    ),
    ErrorCode(
        "attachment.content_missing",
        404,
        "The content of the file is gone",
        "The attachment is known, but its content is not in the store any more.",
        "Report it to the operator, who may have a backup, and upload the file again.",
        "get_attachment_content",
    ),
    ErrorCode(
        "attachment.store_away",
        503,
        "The store of files is not available",
        "Files can be neither written nor read now. Everything else works.",
        "Try again shortly.",
        "add_attachment get_attachment_content",
    ),
)
