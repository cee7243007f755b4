"""The error codes of calendars."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "calendar.no_link",
        404,
        "There are no links to calendars",
        "The account has not issued links, or has revoked them.",
        "Issue them with PUT /users/me/calendar.",
        "get_calendar_links get_project_calendar_link",
    ),
)
