"""The exceptions of the service. Use cases raise them; only `web/errors.py` maps them to HTTP."""

from typing import Any


class TaskManagerError(Exception):
    """Base of all errors. `code` is a stable identifier for programs, `detail` one sentence for people."""

    code = "error"
    detail = "The request could not be carried out."

    def __init__(self, detail: str | None = None, *, code: str | None = None, **extra: object) -> None:
        self.detail = detail or self.detail
        self.code = code or self.code
        self.extra: dict[str, Any] = extra
        super().__init__(self.detail)


class Misconfigured(TaskManagerError):
    """The process cannot start with these settings."""

    code = "settings.invalid"


class Malformed(TaskManagerError):
    """The request cannot be parsed."""

    code = "request.malformed"


class Unauthenticated(TaskManagerError):
    """The request has no credentials, or they are not valid."""

    code = "auth.required"
    detail = "Log in and send the access token as 'Authorization: Bearer …'."


class Forbidden(TaskManagerError):
    """The actor may see the item but may not do this to it."""

    code = "permission.denied"
    detail = "Your role does not allow this."


class AccountNeeded(Forbidden):
    """The actor is a visitor of a share link and has no account."""

    code = "auth.account_needed"
    detail = "Only users with an account can do this."


class ScopeMissing(Forbidden):
    """The API token does not have the scope that this needs, or only a session may do it."""

    code = "auth.scope_missing"
    detail = "This token does not have the scope that this needs."


class NotFound(TaskManagerError):
    """There is no such item, or the actor may not see it: the response does not distinguish the two."""

    code = "not_found"
    detail = "There is no such item, or you may not see it."


class Misdirected(TaskManagerError):
    """The process does not work for the service that serves this route."""

    code = "service.elsewhere"


class TokenInvalid(NotFound):
    """A one-time token is unknown, used, expired or for another purpose: the response does not distinguish the four."""

    code = "token.invalid"
    detail = "This token is not valid, was used, or has expired."


class Conflict(TaskManagerError):
    """The state of the system does not allow this now."""

    code = "conflict"


class Expired(TaskManagerError):
    """What the request names was there, and is not kept any more."""

    code = "expired"


class TooLarge(TaskManagerError):
    """The content has more bytes than the operator allows."""

    code = "content.too_large"


class TooMany(TaskManagerError):
    """Too many attempts: wait `retry_after` seconds."""

    code = "rate_limit.exceeded"
    detail = "Too many tries: wait before the next one."

    def __init__(self, detail: str | None = None, *, retry_after: int, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class PreconditionFailed(TaskManagerError):
    """The item has changed since the caller read it."""

    code = "precondition.failed"
    detail = "The item has changed since you read it: read it again and repeat the change."


class PreconditionRequired(TaskManagerError):
    """A change must name the revision that it is based on."""

    code = "precondition.required"
    detail = "Send If-Match with the ETag of the item you read."


class Invalid(TaskManagerError):
    """The request is well-formed but violates a rule. `errors` lists {location, message, code}."""

    code = "validation.failed"
    detail = "The request is not valid: see errors."

    def __init__(self, location: str, message: str, *, code: str = "invalid") -> None:
        super().__init__(errors=[{"location": location, "message": message, "code": code}])


class Unavailable(TaskManagerError):
    """A server that this needs is unavailable; the client should retry after `retry_after` seconds."""

    code = "service.unavailable"
    detail = "A service that this request needs is not available. Try again shortly."
    retry_after = 1


class InMaintenance(Unavailable):
    """The service can be read, and not be changed; the client should retry after `retry_after` seconds."""

    code = "service.maintenance"
    detail = "The service is in maintenance: it can be read, and not be changed."

    def __init__(self, detail: str | None = None, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
