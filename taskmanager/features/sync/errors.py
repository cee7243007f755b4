"""The error codes of sync and of the live stream."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "sync.token_expired",
        410,
        "The sync token is too old",
        "The token is older than the kept event log, so that changes after it may be missing.",
        "Begin a full sync at the path in `start`, and replace what the client has by its result.",
        "get_changes open_stream",
    ),
    ErrorCode(
        "sync.token_invalid",
        400,
        "The sync token is not valid",
        "The token was changed, or was made for another account, API token, service or other types.",
        "Begin a full sync without a token.",
        "get_changes",
    ),
    ErrorCode(
        "stream.project_invalid",
        400,
        "The stream cannot be limited to this project",
        "`project_id` is not an id, or the caller does not see such a project.",
        "Take the id from GET /projects, or open the stream of all projects.",
        "open_stream",
    ),
    ErrorCode(
        "stream.id_invalid",
        400,
        "Last-Event-ID is not an id of this stream",
        "The header has something else than the id of a message of this stream.",
        "Open the stream without it, after a request to GET /sync.",
        "open_stream",
    ),
    ErrorCode(
        "stream.not_routed",
        503,
        "The gateway does not serve the stream",
        "The stream has a process of its own, and the gateway has to send this path to it.",
        "Tell the operator; meanwhile use GET /sync with `wait`.",
        "open_stream",
    ),
    ErrorCode(
        "stream.too_many",
        429,
        "The account has too many open streams",
        "The number of streams of an account is limited.",
        "Close a stream, or wait for some seconds.",
        "open_stream",
    ),
    ErrorCode(
        "stream.busy",
        503,
        "Too many streams are open",
        "The process of the stream has as many connections as it may have.",
        "Try again after some seconds; meanwhile use GET /sync with `wait`.",
        "open_stream",
    ),
    ErrorCode(
        "stream.tickets_unavailable",
        503,
        "Tickets cannot be issued",
        "The cache store, which keeps the tickets, does not respond.",
        "Try again after some seconds, or send the Authorization header instead of a ticket.",
        "create_ticket open_stream",
    ),
)
