"""The one tree of exceptions. Services raise them; `web/errors.py` is the one place that maps them to HTTP."""

from typing import Any


class TaskManagerError(Exception):
    """Root. `code` is a stable word for programs, `detail` one sentence for people."""

    code = "error"
    detail = "The request could not be carried out."

    def __init__(self, detail: str | None = None, *, code: str | None = None, **extra: Any) -> None:
        self.detail = detail or self.detail
        self.code = code or self.code
        self.extra = extra
        super().__init__(self.detail)


class Misconfigured(TaskManagerError):
    """The process cannot start with these settings."""

    code = "settings.invalid"


class Malformed(TaskManagerError):
    """The request cannot be parsed."""

    code = "request.malformed"


class Unauthenticated(TaskManagerError):
    """The request has no login, or the proof of it is not good."""

    code = "auth.required"
    detail = "Log in and send the access token as 'Authorization: Bearer …'."


class Forbidden(TaskManagerError):
    """The actor may see the item but not do this to it."""

    code = "permission.denied"
    detail = "Your role does not allow this."


class AccountNeeded(Forbidden):
    """The actor came by a share link and has no account."""

    code = "auth.account_needed"
    detail = "Only users with an account can do this."


class ScopeMissing(Forbidden):
    """The API token was not given what this needs, or only a session may do it."""

    code = "auth.scope_missing"
    detail = "This token does not have the scope that this needs."


class NotFound(TaskManagerError):
    """There is no such item, or the actor may not see it: the two are not told apart."""

    code = "not_found"
    detail = "There is no such item, or you may not see it."


class TokenInvalid(NotFound):
    """A one-time token that is unknown, spent, expired or for something else: the four are not told apart."""

    code = "token.invalid"
    detail = "This token is not valid, was used, or has expired."


class Conflict(TaskManagerError):
    """The state of the system does not allow this now."""

    code = "conflict"


class TooLarge(TaskManagerError):
    """More bytes than the operator allows."""

    code = "content.too_large"


class TooMany(TaskManagerError):
    """Too many tries: wait `retry_after` seconds."""

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
    """A change must say which revision it is based on."""

    code = "precondition.required"
    detail = "Send If-Match with the ETag of the item you read."


class Invalid(TaskManagerError):
    """Well-formed, but a rule says no. `errors` lists {location, message, code}."""

    code = "validation.failed"
    detail = "The request is not valid: see errors."

    def __init__(self, location: str, message: str, *, code: str = "invalid") -> None:
        super().__init__(errors=[{"location": location, "message": message, "code": code}])


class Unavailable(TaskManagerError):
    """Something this needs is down; trying again in `retry_after` seconds makes sense."""

    code = "service.unavailable"
    detail = "A service that this request needs is not available. Try again shortly."
    retry_after = 1
