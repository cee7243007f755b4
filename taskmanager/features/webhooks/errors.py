"""The error codes of webhooks."""

from taskmanager.core.error_codes import ErrorCode, invalid

CODES = (
    invalid(
        "webhook.address_refused",
        "The service does not send to this address",
        "The URL has no public address, or the operator does not allow it.",
        "Use a public https URL.",
        "create_webhook create_project_webhook update_webhook",
    ),
    ErrorCode(
        "webhook.off",
        409,
        "The webhook is off",
        "Its owner has turned it off.",
        "Turn it on with PATCH /webhooks/{id}.",
        "replay_delivery",
    ),
    ErrorCode(
        "webhook.disabled",
        409,
        "The webhook is disabled",
        "The receiver failed for too long, or the owner lost the right to it.",
        "Repair the receiver, and turn the webhook on with PATCH /webhooks/{id}.",
        "test_webhook replay_delivery",
    ),
    ErrorCode(
        "delivery.pending",
        409,
        "The delivery is still pending",
        "The service tries again by itself.",
        "Wait for its end: GET the delivery.",
        "replay_delivery",
    ),
)
