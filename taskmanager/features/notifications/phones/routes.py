"""Routes of the phone number of the user."""

import hashlib
from contextlib import suppress

from flask import Response
from marshmallow import fields, validate

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Invalid
from taskmanager.extensions import limiter
from taskmanager.features.notifications.phones import service as phones
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.limits import caller
from taskmanager.web.requests import body_fields
from taskmanager.web.schemas import Form, Instant, Schema
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("phone", __name__, description="Your phone number for text messages")

_NUMBER = {"description": "With its country code", "example": "+491701234567"}


class PhoneIn(Schema):
    """A mobile number."""

    number = fields.String(required=True, validate=validate.Length(4, 40), metadata=_NUMBER)


class CodeIn(Schema):
    """The code from the text message."""

    code = Form("^[0-9]{6}$", "Six digits are needed.", required=True, metadata={"example": "123456"})


class PhoneOut(Schema):
    """Your phone number. Text messages are sent to it once it is verified, for the kinds that you have turned on."""

    number = fields.String(required=True, allow_none=True, metadata=_NUMBER)
    verified_at = Instant(required=True, allow_none=True)
    month = fields.String(required=True, allow_none=True, metadata={"example": "2026-11"})
    sent = fields.Integer(required=True, metadata={"description": "Text messages sent in `month`"})
    revision = fields.Integer(required=True)


PHONE = Serialiser(PhoneOut)
_APART = ("month", "sent")  # counters, which change without a new revision


def _number_key() -> str:
    """Return the key of the rate limit of a number: the same for all callers and spellings, and not in clear text."""
    number = str(body_fields().get("number", ""))
    with suppress(Invalid):
        number = phones.normal(number)
    return "phone:" + hashlib.sha256(number.encode()).hexdigest()


_by_caller = limiter.limit(lambda: settings.current().ratelimit_sms, key_func=caller)
_by_number = limiter.limit(lambda: settings.current().ratelimit_sms, key_func=_number_key)
_secret = limiter.limit(lambda: settings.current().ratelimit_secret, key_func=caller)


@blp.route("/notifications/phone")
@blp.response(200, PhoneOut)
def get_phone() -> Response:
    """Get your phone number

    The number for text messages, when it was verified, and how many were sent this month.
    """
    return answers.resource(phones.get_own(actor=current_actor()), PHONE, apart=_APART)


@blp.route("/notifications/phone", methods=["PUT"], conditional=False)
@blp.arguments(PhoneIn)
@blp.response(200, PhoneOut)
@_by_caller
@_by_number
def set_phone(data: dict[str, str]) -> Response:
    """Set your phone number

    A code is sent to it, which is valid for ten minutes. 409 `sms.not_configured` when the operator has no provider of
    text messages. You choose the kinds that are sent by text message in the preferences; by default there are none.
    """
    phone = phones.set_number(data["number"], if_match=if_match(required=False), actor=current_actor())
    return answers.resource(phone, PHONE, apart=_APART)


@blp.route("/notifications/phone/confirm", methods=["POST"], idempotent=False, problems=(404,))
@blp.arguments(CodeIn)
@blp.response(200, PhoneOut)
@_secret
def confirm_phone(data: dict[str, str]) -> Response:
    """Confirm your phone number with the code

    422 `phone.wrong_code`; after five wrong codes 409 `phone.expired`: request a new one. A code works once; a
    repetition changes nothing.
    """
    return answers.resource(phones.confirm(data["code"], actor=current_actor()), PHONE, apart=_APART)


@blp.route("/notifications/phone", methods=["DELETE"], problems=(404,), conditional=False)
@blp.response(204)
def remove_phone() -> Response:
    """Remove your phone number

    No text messages are sent any more. Needs no If-Match.
    """
    phones.remove(if_match=if_match(required=False), actor=current_actor())
    return answers.nothing()
