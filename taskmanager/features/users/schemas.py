"""Schemas of accounts and sessions."""

from typing import Any

from marshmallow import fields, validate

from taskmanager.core.localization import languages
from taskmanager.features.users.passwords import MAX_CHARACTERS, MIN_CHARACTERS
from taskmanager.web.openapi.variants import Variant
from taskmanager.web.schemas import Email, Flag, Id, Instant, Json, Line, Schema, TimeZone
from taskmanager.web.serialisers import Serialiser

_TIMEZONE = {
    "description": "The time zone in which your days begin: in filters, reminders and repetitions",
    "example": "Europe/Berlin",
}
_LOCALE = {
    "description": "The language of your mails, notifications and pages",
    "example": "de",
}


class Language(fields.String):
    """A language that the service can write."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(languages.available()), metadata=_LOCALE, **kwargs)


class NewPassword(fields.String):
    """A new password: any characters, no composition rules."""

    def __init__(self, *, required: bool = True, description: str | None = None) -> None:
        about = {"description": description} if description else {}
        super().__init__(
            required=required,
            load_only=True,
            validate=validate.Length(MIN_CHARACTERS, MAX_CHARACTERS),
            metadata={"example": "correct horse battery", "format": "password", **about},
        )


class Password(fields.String):
    """A present password, as proof."""

    def __init__(self) -> None:
        super().__init__(
            required=True,
            load_only=True,
            validate=validate.Length(1, MAX_CHARACTERS),
            metadata={"example": "correct horse battery", "format": "password"},
        )


class Token(fields.String):
    """A one-time token from a mail."""

    def __init__(self) -> None:
        super().__init__(
            required=True, load_only=True, validate=validate.Length(1, 300), metadata={"example": "tc_Zm9v"}
        )


class Registration(Schema):
    """A new account."""

    email = Email(required=True)
    password = NewPassword()
    name = Line(most=200, required=True, metadata={"example": "Ada Lovelace"})
    locale = Language()


class Credentials(Schema):
    """The address and password of a login."""

    email = fields.String(required=True, validate=validate.Length(3, 254), metadata={"example": "ada@example.com"})
    password = Password()


class RefreshRequest(Schema):
    """The refresh token to spend."""

    refresh_token = fields.String(
        required=True, validate=validate.Length(1, 200), metadata={"example": "65f1c0ffee0123456789abcd.1.3q2-7w"}
    )


class Tokens(Schema):
    """The tokens of a session. Send the access token as `Authorization: Bearer …`."""

    access_token = fields.String(required=True, metadata={"example": "eyJhbGciOiJFZERTQSJ9.e30.c2ln"})
    refresh_token = fields.String(required=True, metadata={"example": "65f1c0ffee0123456789abcd.1.3q2-7w"})
    token_type = fields.String(required=True, metadata={"example": "Bearer"})
    expires_in = fields.Integer(
        required=True, metadata={"description": "Seconds until the access token expires", "example": 900}
    )


class TokensOrTicket(Schema):
    """The result of a login: tokens, or, where the account has a second factor, the ticket for the second step."""

    discriminator = "token_type"
    variants = (
        Variant("Tokens", fixed="Bearer"),
        Variant("LoginTicket", ("second_factor", "ticket"), without=("access_token", "refresh_token"), fixed="ticket"),
    )

    access_token = fields.String(metadata={"example": "eyJhbGciOiJFZERTQSJ9.e30.c2ln"})
    refresh_token = fields.String()
    token_type = fields.String(required=True, metadata={"description": "Which of the two this is"})
    expires_in = fields.Integer(
        required=True, metadata={"description": "Seconds until the access token or the ticket expires", "example": 900}
    )
    second_factor = fields.String(metadata={"enum": ["totp"]})
    ticket = fields.String()


class UserOut(Schema):
    """An account, as its user sees it."""

    id = Id(attribute="_id", required=True)
    email = Email(required=True)
    name = Line(most=200, required=True, metadata={"example": "Ada Lovelace"})
    role = fields.String(required=True, metadata={"enum": ["user", "admin"]})
    timezone = fields.String(required=True, metadata=_TIMEZONE)
    locale = fields.String(required=True, metadata=_LOCALE)
    email_verified_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class Me(UserOut):
    """An account, as its user sees it, with its quotas."""

    quotas = Json(
        {
            "additionalProperties": {"$ref": "#/components/schemas/Quota"},
            "example": {"projects": {"limit": 500, "used": 3}},
        },
        required=True,
        metadata={"description": "The quotas, by name"},
    )


class UserPatch(Schema):
    """Changes of your own account."""

    name = Line(most=200, metadata={"example": "Ada Lovelace"})
    timezone = TimeZone(metadata=_TIMEZONE)
    locale = Language()


class AddressRequest(Schema):
    """The address that a mail is requested for."""

    email = Email(required=True)


class TokenRequest(Schema):
    """A one-time token from a mail."""

    token = Token()


class PasswordReset(Schema):
    """A one-time token from a mail, and the new password."""

    token = Token()
    password = NewPassword()


class PasswordChange(Schema):
    """The present password and the new one."""

    current_password = Password()
    new_password = NewPassword()


class EmailChange(Schema):
    """The new address, and the password as proof."""

    email = Email(required=True)
    password = Password()


class EmailChangeOut(Schema):
    """The state of a change of address."""

    changed = fields.Boolean(
        required=True, metadata={"description": "False until the other address has confirmed too", "example": True}
    )


class SessionOut(Schema):
    """One login on one device."""

    id = Id(attribute="_id", required=True)
    user_agent = fields.String(required=True, allow_none=True, metadata={"example": "Mozilla/5.0"})
    address = fields.String(required=True, allow_none=True, metadata={"example": "192.0.2.7"})
    current = fields.Boolean(required=True, metadata={"description": "Whether it is the session of this request"})
    created_at = Instant(required=True)
    last_used_at = Instant(
        attribute="rotated_at", required=True, metadata={"description": "When its refresh token was last used"}
    )
    expires_at = Instant(required=True)
    revision = fields.Integer(required=True)


class SessionsEnd(Schema):
    """Which sessions to end."""

    except_current = Flag(load_default=False, metadata={"description": "Keep the session of this request"})


SESSION = Serialiser(SessionOut)
USER = Serialiser(UserOut)
