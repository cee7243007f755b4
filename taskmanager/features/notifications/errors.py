"""The error codes of notifications and of phones."""

from taskmanager.core.error_codes import ErrorCode, invalid

_PREFERENCES = "update_notification_preferences"

CODES = (
    invalid(
        "channel.unknown",
        "There is no such channel",
        "`channels` names a channel that the service does not have.",
        "Use a channel of GET /notifications/preferences.",
        _PREFERENCES,
    ),
    invalid(
        "kind.unknown",
        "There is no such kind of notification",
        "The preferences name a kind that the service does not have.",
        "Use a kind of GET /notifications/preferences.",
        _PREFERENCES,
    ),
    invalid(
        "quiet_hours.incomplete",
        "Quiet hours need a start and an end",
        "One of the two is missing.",
        "Send both, or null for no quiet hours.",
        _PREFERENCES,
    ),
    ErrorCode(
        "sms.not_configured",
        409,
        "The service sends no text messages",
        "The operator has set up no provider.",
        "Use another channel.",
        "set_phone",
    ),
    ErrorCode(
        "sms.cap_reached",
        409,
        "The text messages of this month are used up",
        "An account has a limit of text messages in a month.",
        "Wait for the next month, or use another channel.",
        "set_phone",
    ),
    invalid(
        "phone.invalid",
        "The number is no phone number",
        "It has no country code, or is not one that can receive text messages.",
        "Send it with the country code, such as +49 170 1234567.",
        "set_phone",
    ),
    ErrorCode(
        "phone.expired",
        409,
        "The code is over",
        "The code has expired, or was tried too often.",
        "Request a new one with PUT /notifications/phone.",
        "confirm_phone",
    ),
    invalid(
        "phone.wrong_code",
        "The code is wrong",
        "It is not the code in the newest message.",
        "Send that code.",
        "confirm_phone",
    ),
)
