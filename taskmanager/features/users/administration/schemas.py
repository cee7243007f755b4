"""Schemas of accounts for administrators."""

from marshmallow import fields, validate

from taskmanager.features.users.schemas import NewPassword, UserOut
from taskmanager.web.pagination import list_query
from taskmanager.web.schemas import Email, Flag, Instant, Line, QueryFlag, Schema
from taskmanager.web.serialisers import Serialiser

_ROLES = ("user", "admin")


class UserAdminIn(Schema):
    """An account that an administrator makes."""

    email = Email(required=True)
    name = Line(most=200, required=True, metadata={"example": "Ada Lovelace"})
    password = NewPassword(
        required=False, description="Without one, a mail lets the owner of the address set a password"
    )


class UserAdminPatch(Schema):
    """Changes of an account."""

    name = Line(most=200, metadata={"example": "Ada Lovelace"})
    role = fields.String(validate=validate.OneOf(_ROLES), metadata={"example": "user"})
    disabled = Flag(
        metadata={"description": "All requests of a disabled account are refused, from the next request on"}
    )


class UserAdminOut(UserOut):
    """An account, as administrators see it."""

    kind = fields.String(required=True, metadata={"enum": ["person", "service"]})
    disabled_at = Instant(required=True, allow_none=True)


USER_ADMIN = Serialiser(UserAdminOut)


class UserListQuery(list_query(USER_ADMIN, {"created_at": "created_at", "name": "name"})):  # type: ignore[misc]
    """The query of the list of accounts."""

    q = Line(
        most=100,
        metadata={
            "description": "The beginning of the address, of the name or of a word of the name",
            "example": "ada",
        },
    )
    role = fields.String(validate=validate.OneOf(_ROLES))
    kind = fields.String(validate=validate.OneOf(("person", "service")))
    disabled = QueryFlag()


CHOOSING = ("q", "role", "kind", "disabled")  # the parameters that filter rows
