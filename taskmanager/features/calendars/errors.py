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
    ErrorCode(
        "calendar.link_invalid",
        404,
        "The link to the calendar does not work",
        "It was replaced or revoked, it is for another calendar, or its account has lost the right or is disabled.",
        "Ask for the link again, with GET /users/me/calendar or GET /projects/{project_id}/calendar.",
        "get_own_calendar get_project_calendar",
    ),
)
