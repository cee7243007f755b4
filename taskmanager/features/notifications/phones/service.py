"""Use cases of phone numbers: set a number, verify it by a code, count the messages to it."""

import hmac
import secrets
from collections.abc import Iterable
from datetime import timedelta

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Invalid, NotFound
from taskmanager.core.events.log import Event, record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.signed_tokens import fingerprint
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.notifications.content.registry import Notice, writes
from taskmanager.features.notifications.events import PhoneCodeRequested, PhoneRemoved, PhoneVerified
from taskmanager.features.notifications.kinds import CODE
from taskmanager.features.notifications.models import Phone

CODE_MINUTES, MAX_TRIES = 10, 5
_DIGITS = 6


def get_own(*, actor: Actor) -> Row:
    """Return the actor's phone number, as a row; its revision is 0 while there is none."""
    row = Phone.at(user_id=actor.user_id).as_row()
    return row | {"number": row.get("number") or None}


@unit_of_work
def set_number(number: str, *, if_match: IfMatch, actor: Actor) -> Row:
    """Store a number and have a code sent to it.

    Raises PreconditionFailed, Invalid (`phone.invalid`), Conflict (`sms.not_configured`, `sms.cap_reached`).
    """
    if not settings.current().sms_url:
        raise Conflict("This service does not send text messages.", code="sms.not_configured")
    known = Phone.at(user_id=actor.user_id)
    known.check_revision(if_match)
    changes = {
        "number": normal(number),
        "verified_at": None,
        "nonce": secrets.token_hex(16),
        "code_until": now() + timedelta(minutes=CODE_MINUTES),
        "tries": 0,
    }
    phone = known.keep(**changes)
    if phone.month == _month() and phone.sent >= settings.current().sms_monthly_cap:
        raise Conflict("You have reached the limit of text messages for this month.", code="sms.cap_reached")
    record(PhoneCodeRequested(phone, actor))
    return phone.as_row()


def confirm(code: str, *, actor: Actor) -> Row:
    """Verify the actor's number by a code.

    Raises NotFound, Invalid (`phone.wrong_code`), Conflict (`phone.expired`).
    """
    phone = Phone.objects(user_id=actor.user_id, number__ne="").first()
    if phone is None:
        raise NotFound
    if phone.verified_at:
        return phone.as_row()
    # counted before the comparison, outside of a transaction, so that a wrong code stays counted
    tried = Phone.objects(id=phone.id, tries__lt=MAX_TRIES, code_until__gt=now()).modify(new=True, inc__tries=1)
    if tried is None:
        raise Conflict("The code has expired or was tried too often: request a new one.", code="phone.expired")
    if not hmac.compare_digest(_code(tried), code):
        raise Invalid("body.code", "This is not the code that was sent.", code="phone.wrong_code")
    return _verified(tried, actor)


@unit_of_work
def _verified(phone: Phone, actor: Actor) -> Row:
    phone = phone.write(verified_at=now(), nonce=None, code_until=None, tries=0)
    record(PhoneVerified(phone, actor))
    return phone.as_row()


@unit_of_work
def remove(*, if_match: IfMatch, actor: Actor) -> None:
    """Remove the actor's number. Raises NotFound, PreconditionFailed."""
    phone = Phone.objects(user_id=actor.user_id, number__ne="").first()
    if phone is None:
        raise NotFound
    phone.check_revision(if_match)
    # the counter stays: to remove a number and set it again does not reset the month
    phone.write(number="", verified_at=None, nonce=None, code_until=None)
    record(PhoneRemoved(phone, actor))


def verified(user_ids: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Return {user id: number} of the users with a verified number."""
    found = Phone.objects(user_id__in=list(user_ids), verified_at__ne=None)
    return {phone.user_id: phone.number for phone in found}


def to_be_verified(user_id: ObjectId) -> str | None:
    """Return the number that a code is to be sent to, or None."""
    phone = Phone.objects(user_id=user_id, verified_at=None, code_until__gt=now()).first()
    return phone and phone.number


def count(user_id: ObjectId) -> bool:
    """Count one message of this month; return False when the cap of the operator is reached."""
    month, cap = _month(), settings.current().sms_monthly_cap
    Phone.objects(user_id=user_id, month__ne=month).update(set__month=month, set__sent=0)
    return bool(Phone.objects(user_id=user_id, month=month, sent__lt=cap).update_one(inc__sent=1))


def delete_of_account(user_id: ObjectId) -> None:
    """Delete the number of a deleted account."""
    Phone.objects(user_id=user_id).delete()


@writes("phone.code_requested")
def _code_notice(event: Event) -> list[Notice]:
    phone = Phone.objects(user_id=event.subject_id, verified_at=None, code_until__gt=now()).first()
    if phone is None or fingerprint(phone.nonce) != event.data["code"]:  # another code was requested since
        return []
    to = {"name": "", "email": ""}
    text = f"Your code for {settings.current().service_name}: {_code(phone)}"
    return [Notice(phone.user_id, to, text, "", CODE)]


def normal(number: str) -> str:
    """Return the number in the form E.164. Raises Invalid (`phone.invalid`) unless it is a mobile number."""
    import phonenumbers  # its table of countries takes 5 MB, in processes that never see a number too

    types = phonenumbers.PhoneNumberType
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        parsed = None
    if (
        parsed is None
        or not phonenumbers.is_valid_number(parsed)
        or phonenumbers.number_type(parsed) not in (types.MOBILE, types.FIXED_LINE_OR_MOBILE)
    ):
        message = "Not a mobile number with its country code, such as +491701234567."
        raise Invalid("body.number", message, code="phone.invalid")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _code(phone: Phone) -> str:
    """Return the code: an HMAC of nonce and number by the service's secret. The database does not reveal it."""
    content = f"phone:{phone.nonce}:{phone.number}".encode()
    value = int.from_bytes(hmac.digest(settings.current().secret(), content, "sha256")[:8], "big")
    return str(value % 10**_DIGITS).zfill(_DIGITS)


def _month() -> str:
    return f"{now():%Y-%m}"
