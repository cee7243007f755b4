"""The error codes of requests that are not what HTTP, JSON or the conventions of all routes demand."""

from taskmanager.core.error_codes import ErrorCode

_READ_BODY = "Send the whole body, and a Content-Length that fits it."

_REQUESTS = (
    ErrorCode(
        "request.malformed",
        400,
        "The request cannot be parsed",
        "The body is not valid JSON, or a header has another form than its standard says.",
        "Correct the request as `detail` says. Sending it again unchanged has the same result.",
    ),
    ErrorCode(
        "request.incomplete",
        400,
        "The body ended early",
        "The connection was closed, or the framing of the body is wrong, before all of it had arrived.",
        _READ_BODY,
    ),
    ErrorCode(
        "request.too_deep",
        400,
        "The body is nested too deeply",
        "The JSON of the body has more levels of objects and lists than any request needs.",
        "Send a body as the document shows it.",
    ),
    ErrorCode(
        "request.not_acceptable",
        406,
        "The client accepts no JSON",
        "The Accept header excludes application/json and application/problem+json.",
        "Send `Accept: application/json`, or no Accept header.",
    ),
    ErrorCode(
        "request.unsupported_media_type",
        415,
        "The media type is not supported",
        "The Content-Type of the body is not the one that this operation takes.",
        "Send application/json; application/merge-patch+json with PATCH; multipart/form-data for files.",
    ),
    ErrorCode(
        "request.unsupported_encoding",
        415,
        "The body is compressed",
        "The request has a Content-Encoding. Only responses are compressed.",
        "Send the body without compression.",
    ),
    ErrorCode(
        "cursor.invalid",
        400,
        "The cursor does not belong here",
        "A cursor continues the list, with the sort and the filter, that returned it; it is signed.",
        "Use `next_cursor` with the query that returned it, or begin the list again without a cursor.",
    ),
    ErrorCode(
        "cursor.outdated",
        400,
        "The cursor is from an earlier release",
        "The service was updated after the cursor was made, and the list is sorted in another way now.",
        "Begin the list again without a cursor.",
    ),
    ErrorCode(
        "idempotency.key_invalid",
        400,
        "The Idempotency-Key has a wrong form",
        "A key has 1 to 255 printable ASCII characters, with or without quotes.",
        "Send a UUID.",
    ),
    ErrorCode(
        "idempotency.in_progress",
        409,
        "The first request with this key is still running",
        "Two requests have the same Idempotency-Key, and the first one has no response yet.",
        "Wait for a second, and send the same request again: it gets the response of the first one.",
    ),
    ErrorCode(
        "idempotency.answer_lost",
        409,
        "The response to the first request is lost",
        "A request with this Idempotency-Key was carried out, but its response could not be stored.",
        "Read the resource to see what was done. Use a new key for a new request.",
    ),
    ErrorCode(
        "idempotency.key_reused",
        422,
        "The Idempotency-Key was used for another request",
        "For 24 hours a key belongs to the route and the body that it was first sent with.",
        "Make a new key for each new request, and repeat a request without any change.",
    ),
)

# What the server returns before a route is found, or without one: the code follows the status alone.
_HTTP = (
    ErrorCode(
        "http.bad_request",
        400,
        "The request is not HTTP",
        "The request line, a header or the framing of the body does not follow the protocol.",
        "Use an HTTP client.",
    ),
    ErrorCode(
        "http.not_found",
        404,
        "There is no such path",
        "The path is no route of this service, or an id in it is no id.",
        "Compare the path with the document at /api/v1/openapi.json.",
    ),
    ErrorCode(
        "http.method_not_allowed",
        405,
        "The path has no such method",
        "The path exists, with the methods that Allow lists.",
        "Use one of these methods.",
    ),
    ErrorCode(
        "http.request_timeout", 408, "The request took too long to arrive", "The connection is too slow.", _READ_BODY
    ),
    ErrorCode(
        "http.request_entity_too_large",
        413,
        "The body is too large",
        "The body has more bytes than the operator allows.",
        "Send less at a time.",
    ),
    ErrorCode(
        "http.uri_too_long",
        414,
        "The address is too long",
        "The request line has more than 8,190 bytes.",
        "Shorten the query: save a long filter as a view.",
    ),
    ErrorCode(
        "http.unsupported_media_type",
        415,
        "The media type is not supported",
        "The Content-Type of the body is not the one that this operation takes.",
        "Send application/json.",
    ),
    ErrorCode(
        "http.requested_range_not_satisfiable",
        416,
        "There are no such bytes",
        "The Range begins after the end of the content, whose size Content-Range has.",
        "Ask for bytes that exist.",
        "get_attachment_content",
    ),
    ErrorCode(
        "http.request_header_fields_too_large",
        431,
        "The headers are too large",
        "A header is longer than 8,190 bytes, or there are more than 100.",
        "Send fewer or shorter headers.",
    ),
)

PROTOCOL = (*_REQUESTS, *_HTTP)
