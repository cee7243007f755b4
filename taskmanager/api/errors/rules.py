"""The error codes of the kernel: access, state, limits, validation. Those of features are in their `errors.py`."""

from taskmanager.core.error_codes import ErrorCode, invalid
from taskmanager.core.quotas import QUOTAS

_RETRY = "Wait as long as Retry-After says, and send the same request again, a POST with the same Idempotency-Key."
_LOGIN = "Log in with POST /api/v1/auth/login, and send the new access token."
_QUOTA_OPERATIONS = {
    "projects": "create_project copy_project restore_project transfer_project add_member update_member"
    " accept_invitation accept_my_invitation",
    "memberships": "create_project copy_project restore_project add_member accept_invitation accept_my_invitation",
    "members": "add_member accept_invitation accept_my_invitation",
    "tasks": "create_task quick_add_task run_bulk_operations update_task complete_task move_task restore_task"
    " copy_project",
    "project_attachment_bytes": "add_attachment move_task",
    "account_attachment_bytes": "add_attachment",
    "webhooks": "create_webhook create_project_webhook",
    "tokens": "create_token create_service_token",
    "views": "create_view create_project_view",
    "custom_fields": "create_custom_field",
    "labels": "create_label",
    "reminders": "create_reminder",
}
_EXPENSIVE = (
    "list_tasks list_project_tasks list_view_tasks list_project_view_tasks search_tasks get_task_facets"
    " get_project_facets get_task_statistics get_project_statistics export_account run_bulk_operations"
)

_ACCESS = (
    ErrorCode(
        "auth.required",
        401,
        "A login is needed",
        "The request has no Authorization header, or one that is not `Bearer` with a token.",
        _LOGIN,
    ),
    ErrorCode(
        "auth.invalid_token",
        401,
        "The token is not valid",
        "The access token has expired, the API token or share link was revoked, or it is from another service.",
        f"POST /api/v1/auth/refresh with the refresh token. {_LOGIN}",
        "* open_share_link",
    ),
    ErrorCode(
        "auth.session_ended",
        401,
        "The session has ended",
        "The user logged out, changed the password, or ended the session; or a refresh token was used twice.",
        _LOGIN,
    ),
    ErrorCode(
        "auth.scope_missing",
        403,
        "The token lacks a scope",
        "API tokens may do what their scopes say. `scope` names the one that is needed; without it only a session may.",
        "Make an API token with this scope, or log in.",
    ),
    ErrorCode(
        "auth.account_needed",
        403,
        "Visitors cannot do this",
        "The request has the token of a share link, and this needs an account.",
        "Log in with an account that is a member of the project.",
    ),
    ErrorCode(
        "permission.denied",
        403,
        "The role does not allow this",
        "The caller may see the item, but `permission` is not among those of the caller's role.",
        "Ask a manager or an owner of the project for another role. GET /projects/{id}/permissions lists your own.",
    ),
    ErrorCode(
        "header.causal_token",
        400,
        "X-Causal-Token is not valid",
        "The header has what a response of this service returned, as it was: it is signed.",
        "Send the latest token that a response had, or no header.",
    ),
    ErrorCode(
        "header.mutation_id",
        400,
        "X-Mutation-ID is not valid",
        "The header has 1 to 64 letters, digits and the characters . _ : -.",
        "Send a valid name, such as a UUID, or no header.",
    ),
    ErrorCode(
        "page.form_expired",
        403,
        "The form has expired",
        "The form of a page was opened before a login or a restart of the browser, or another site has sent it.",
        "Open the page again, and send its form.",
        "-",
    ),
    ErrorCode(
        "not_found",
        404,
        "There is no such item",
        "The id is wrong, the item was deleted, or the caller may not see it: the response does not distinguish these.",
        "Compare the id with a list. Items in the trash can be restored.",
    ),
    ErrorCode(
        "token.invalid",
        404,
        "The one-time token does not work",
        "The token of a mail was used already, has expired, was replaced by a newer one, or is for another purpose.",
        "Request a new mail, and use its link once.",
        "verify_email reset_password confirm_email_change accept_invitation refuse_invitation unsubscribe_address",
    ),
)

_STATE = (
    ErrorCode(
        "conflict",
        409,
        "The state does not allow this now",
        "Another request changed the same things at the same time.",
        "Read the item again, and repeat the request if it is still needed.",
    ),
    ErrorCode(
        "expired",
        410,
        "It is not kept any more",
        "The request names something that was there, and that was deleted when its time was over.",
        "Begin anew, as `detail` says.",
        "-",
    ),
    ErrorCode(
        "precondition.failed",
        412,
        "The item has changed",
        "If-Match or If-None-Match does not hold: the ETag that was sent is not that of the current revision.",
        "GET the item, apply the change to what it is now, and send its new ETag.",
    ),
    ErrorCode(
        "precondition.required",
        428,
        "If-Match is missing",
        "A change must name the revision that it is based on, so that it overwrites no other change.",
        "GET the item, and send its ETag as If-Match. `*` changes whatever is there.",
    ),
    ErrorCode(
        "content.too_large",
        413,
        "The content is too large",
        "The content has more bytes than the operator allows.",
        "Send less.",
        "add_attachment",
    ),
    *(
        ErrorCode(
            f"quota.{name}",
            409,
            "A quota is used up",
            sentence.replace("{limit:,}", "`limit`") + " The operator sets the limit.",
            "Delete what is no longer needed, or ask the operator. GET /users/me has your quotas.",
            _QUOTA_OPERATIONS[name],
        )
        for name, sentence in QUOTAS.items()
    ),
)

_TIME = (
    ErrorCode(
        "rate_limit.exceeded",
        429,
        "Too many requests",
        "The budget that RateLimit-Policy describes is used up for now. Logins have budgets of their own.",
        "Wait as many seconds as Retry-After says. RateLimit tells what is left before that happens.",
    ),
    ErrorCode(
        "query.too_many",
        429,
        "Too many expensive queries at a time",
        "The caller has as many searches, exports or statistics running as one caller may.",
        "Wait for the earlier ones to end.",
        _EXPENSIVE,
    ),
    ErrorCode(
        "query.busy",
        503,
        "The service runs too many expensive queries",
        "All callers together have as many searches, exports and statistics running as the service allows.",
        _RETRY,
        _EXPENSIVE,
    ),
    ErrorCode(
        "query.too_slow",
        503,
        "The query takes too long",
        "The database ended the query at the limit of its time.",
        "Ask for less: a narrower filter, fewer projects, a smaller limit.",
    ),
    ErrorCode(
        "service.elsewhere",
        421,
        "Another process serves this route",
        "The service runs as several processes, and the request did not reach the one that serves its route.",
        "Send the request to the public address of the service.",
        "-",  # no client of the gateway gets it
    ),
    ErrorCode(
        "service.unavailable",
        503,
        "A server is not available",
        "A server that this request needs is away. Nothing was changed.",
        _RETRY,
    ),
    ErrorCode(
        "service.maintenance",
        503,
        "The service is in maintenance",
        "The operators have declared a maintenance: everything can be read, and nothing can be changed. Logins work.",
        "Wait for the seconds of `Retry-After`, then send the same request again. `GET /info` tells when it is over.",
    ),
    ErrorCode(
        "database.unavailable",
        503,
        "The database is not available",
        "The database is away or elects a new primary. Nothing was changed, or nothing is known of it.",
        _RETRY,
    ),
    ErrorCode(
        "internal",
        500,
        "An unexpected error occurred",
        "This is a fault of the service.",
        "Report `request_id` to the operator, who finds the cause in the log by it.",
    ),
)

_ITEMS = (
    ErrorCode(
        "validation.failed",
        422,
        "The request is not valid",
        "The request is well-formed, but one of its parts breaks a rule. `errors` lists each with its location.",
        "Correct what `errors` names: `location` is such as `body.title` or `query.limit`.",
    ),
    invalid(
        "invalid", "A value is not valid", "The value breaks a rule of its field.", "Correct it as `message` says."
    ),
    invalid("required", "A field is missing", "The body has no such field, and needs it.", "Add the field."),
    invalid("null", "A field is null", "This field cannot be null.", "Send a value, or leave the field out."),
    invalid(
        "unknown_field",
        "A field is not known",
        "The body or the query has a name that this operation does not know, such as one with a typing error.",
        "Remove it, or write it as the document does.",
    ),
    invalid(
        "filter.invalid",
        "The filter cannot be parsed",
        "The text does not follow the grammar of filters, or is too long or too deep. The message names the column.",
        "Correct the filter at this column.",
    ),
    invalid(
        "filter.invalid_value",
        "A value in the filter is not valid",
        "The field is compared with a value of another kind, such as a day with a word.",
        "Correct the value at the column that the message names.",
    ),
    invalid(
        "filter.unknown_name",
        "A name in the filter is not known",
        "There is no label, status, member, project or custom field of this name, or you do not see it.",
        "Correct the name at the column that the message names.",
    ),
    invalid(
        "sort.unknown_name",
        "The list cannot be sorted by this",
        "`sort` names a custom field that does not exist in the project.",
        "Use a field of GET /projects/{id}/custom-fields, or an order that the document lists.",
    ),
)

RULES = (*_ACCESS, *_STATE, *_TIME, *_ITEMS)
