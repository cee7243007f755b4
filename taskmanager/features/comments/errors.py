"""The error codes of comments."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "comment.not_yours",
        403,
        "The comment is by another user",
        "Only the author can change a comment. Managers can delete it.",
        "Write a comment of your own.",
        "update_comment",
    ),
    ErrorCode(
        "comment.too_many_reactions",
        409,
        "The comment has too many reactions",
        "A comment has a limit of different reactions.",
        "Use one that it has already.",
        "add_reaction",
    ),
)
