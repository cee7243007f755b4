"""Schemas of the second factor."""

from marshmallow import fields, validate

from taskmanager.features.users.schemas import Password
from taskmanager.web.schemas import Schema

_CODE = {"example": "287082"}


class TotpStatus(Schema):
    """Whether the second factor is on."""

    enabled = fields.Boolean(required=True)
    recovery_codes_left = fields.Integer(required=True)


class TotpBegin(Schema):
    """Your password, as proof."""

    password = Password()


class TotpSecret(Schema):
    """The secret for an authenticator app; `otpauth_uri` is the content of its QR code."""

    secret = fields.String(required=True, metadata={"example": "JBSWY3DPEHPK3PXP"})
    otpauth_uri = fields.String(required=True, metadata={"example": "otpauth://totp/Task%20Manager:ada@example.com"})


class TotpCode(Schema):
    """A code of the app; if the second factor is on already, a recovery code is accepted too."""

    code = fields.String(required=True, load_only=True, validate=validate.Length(6, 40), metadata=_CODE)


class RecoveryCodes(Schema):
    """Codes for when the device is lost, each for one login. Only this response shows them."""

    recovery_codes = fields.List(fields.String(), required=True, metadata={"example": ["1f0c9a2b-77de0143"]})


class TotpEnd(TotpCode):
    """Your password and a code, as proof."""

    password = Password()


class SecondStep(TotpCode):
    """The ticket of the first step, and a code of the app or a recovery code."""

    ticket = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 300), metadata={"example": "tc_Zm9v"}
    )
