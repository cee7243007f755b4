"""Use cases of the second factor: time-based one-time passwords (RFC 6238, by pyotp), and recovery codes.

The secret is encrypted at rest with a key derived from the service's secret. A code works once, in its time step of
30 seconds and the steps before and after it. Wrong codes are counted per account, whatever ticket they come with.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
from bson import ObjectId
from cryptography.fernet import Fernet
from mongoengine.errors import NotUniqueError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Forbidden, NotFound, TooMany, Unauthenticated
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.ciphers import cipher
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users import one_time_tokens, service as users
from taskmanager.features.users.events import (
    RecoveryCodesRenewed,
    RecoveryCodeUsed,
    SecondFactorFailed,
    TotpDisabled,
    TotpEnabled,
)
from taskmanager.features.users.holdings import Recovery
from taskmanager.features.users.models import SecondFactor, User
from taskmanager.features.users.recovery import service as passwords_recovery
from taskmanager.features.users.sessions import service as sessions
from taskmanager.features.users.sessions.service import Login

RECOVERY_CODES = 10
_STEP_SECONDS = 30
_MAX_FAILURES = 10
_FAILURES_LIFETIME = timedelta(minutes=15)
_CODE = re.compile(r"[0-9]{6}")


def status(*, actor: Actor) -> dict[str, Any]:
    """Return whether the actor's second factor is on, and how many recovery codes are left.

    {enabled, recovery_codes_left}.
    """
    factor = _enabled(actor.user_id)
    return {"enabled": factor is not None, "recovery_codes_left": len(factor.recovery_codes) if factor else 0}


def begin(password: str, *, actor: Actor) -> dict[str, str]:
    """Return a new secret for an authenticator app: {secret, otpauth_uri}. It is on once `confirm` has verified a code.

    Raises Forbidden (`auth.wrong_password`), Conflict (`totp.enabled`).
    """
    user = User.objects.one(actor.user_id)
    passwords_recovery.prove(user, password)
    secret = pyotp.random_base32()
    _store(user, secret)
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=settings.current().service_name)
    return {"secret": secret, "otpauth_uri": uri}


@unit_of_work
def _store(user: User, secret: str) -> None:
    if _enabled(user.id):
        raise Conflict("The second factor is on already: turn it off first.", code="totp.enabled")
    SecondFactor.objects(user_id=user.id).delete()
    try:
        SecondFactor(user_id=user.id, secret=_cipher().encrypt(secret.encode())).save(force_insert=True)
    except NotUniqueError:
        raise Conflict("The second factor is being set up elsewhere.", code="totp.in_progress") from None


def confirm(code: str, *, actor: Actor) -> list[str]:
    """Turn the second factor on. Return the recovery codes, which are shown once.

    Raises Conflict (`totp.enabled`, `totp.not_begun`), Forbidden (`totp.wrong_code`), TooMany.
    """
    factor = SecondFactor.objects(user_id=actor.user_id).first()
    if factor is None or factor.confirmed_at:
        code = "totp.enabled" if factor else "totp.not_begun"
        raise Conflict("There is no second factor to confirm.", code=code)
    _use_code(factor, code)
    return _turn_on(factor, actor)


@unit_of_work
def _turn_on(factor: SecondFactor, actor: Actor) -> list[str]:
    codes = _make_codes()
    waiting = SecondFactor.objects(id=factor.id, confirmed_at=None)  # another setup may have begun meanwhile
    if waiting.modify(set__confirmed_at=now(), set__recovery_codes=_hashed(codes)) is None:
        raise Conflict("There is no second factor to confirm.", code="totp.enabled")
    user = User.objects.one(actor.user_id)
    users.raise_access_versions([user.id])
    record(TotpEnabled(user))
    return codes


def renew_codes(code: str, *, actor: Actor) -> list[str]:
    """Return new recovery codes; the old ones become invalid.

    Raises Conflict (`totp.not_enabled`), Forbidden (`totp.wrong_code`), TooMany.
    """
    _prove(actor, code)
    return _replace_codes(actor)


@unit_of_work
def _replace_codes(actor: Actor) -> list[str]:
    codes = _make_codes()
    SecondFactor.objects(user_id=actor.user_id).update(set__recovery_codes=_hashed(codes))
    record(RecoveryCodesRenewed(User.objects.one(actor.user_id)))
    return codes


def disable(password: str, code: str, *, actor: Actor) -> None:
    """Turn the second factor off.

    Raises Forbidden (`auth.wrong_password`, `totp.wrong_code`), Conflict (`totp.not_enabled`), TooMany.
    """
    user = User.objects.one(actor.user_id)
    passwords_recovery.prove(user, password)
    _prove(actor, code)
    reset(user)


@unit_of_work
def reset(user: User, *, by_operator: bool = False) -> None:
    """Delete the second factor of an account; operators do it for users who lost device and recovery codes."""
    if SecondFactor.objects(user_id=user.id).delete():
        users.raise_access_versions([user.id])
        record(TotpDisabled(user, by_operator=by_operator))


@unit_of_work
def recover(recovery: Recovery) -> int:
    """Delete a second factor that an earlier holder of the account set up, or that is not confirmed. Return how many.

    A factor that was confirmed after the present address was confirmed stays: access to the mailbox must not be enough.
    """
    factors = SecondFactor.objects(user_id=recovery.user.id)
    older = [factor for factor in factors if recovery.is_of_earlier_holder(factor.confirmed_at)]
    if any(factor.confirmed_at for factor in older):
        reset(recovery.user)
    SecondFactor.objects(id__in=[factor.id for factor in older]).delete()
    return len(older)


def finish_login(ticket: str, code: str, *, user_agent: str, address: str) -> Login:
    """Finish a login by the second step. `code` is a code of the app or a recovery code.

    Raises Unauthenticated (`auth.invalid_code`), the same for a ticket that is not valid; TooMany (`auth.locked`).
    """
    known = one_time_tokens.read(sessions.TICKET, ticket)
    user = known and User.objects(id=known.subject_id, disabled_at=None).first()
    factor = user and _enabled(user.id)
    if not known or not user or not factor:
        raise _wrong()
    try:
        _use(factor, code)
    except Forbidden:
        raise _wrong() from None
    return _start(ticket, user, user_agent, address)


@unit_of_work
def _start(ticket: str, user: User, user_agent: str, address: str) -> Login:
    try:
        one_time_tokens.spend(sessions.TICKET, ticket)
    except NotFound:
        raise _wrong() from None
    return sessions.start(user, user_agent=user_agent, address=address)


def _wrong() -> Unauthenticated:
    return Unauthenticated("The code is wrong, or the login took too long: log in again.", code="auth.invalid_code")


def _prove(actor: Actor, code: str) -> None:
    factor = _enabled(actor.user_id)
    if factor is None:
        raise Conflict("The second factor is not on.", code="totp.not_enabled")
    _use(factor, code)


def _use(factor: SecondFactor, code: str) -> None:
    """Spend a code of the app or a recovery code. Raises Forbidden (`totp.wrong_code`), TooMany."""
    (_use_code if _CODE.fullmatch(code) else _use_recovery)(factor, code)


def _use_code(factor: SecondFactor, code: str) -> None:
    step = _step_of(factor, code)
    unused = SecondFactor.objects(id=factor.id, last_step__lt=step or 0)
    _try(factor, lambda: step is not None and unused.modify(set__last_step=step) is not None)


def _use_recovery(factor: SecondFactor, code: str) -> None:
    hashed = _hash(code)
    unused = SecondFactor.objects(id=factor.id, recovery_codes=hashed)
    _try(factor, lambda: unused.modify(pull__recovery_codes=hashed) is not None)
    _record_recovery(factor.user_id)


@unit_of_work
def _record_recovery(user_id: ObjectId) -> None:
    record(RecoveryCodeUsed(User.objects.one(user_id)))


def _try(factor: SecondFactor, attempt: Callable[[], bool]) -> None:
    """Count a failure before the attempt, so that concurrent attempts cannot exceed the limit; reset it on success."""
    failures = _count(factor)
    if not attempt():
        _record_failure(factor.user_id, failures)
        raise Forbidden("The code is wrong.", code="totp.wrong_code")
    SecondFactor.objects(id=factor.id).update(set__failures=0, unset__failures_end_at=True)


def _count(factor: SecondFactor) -> int:
    moment = now()
    SecondFactor.objects(id=factor.id, failures_end_at__lte=moment).update(set__failures=0, unset__failures_end_at=True)
    SecondFactor.objects(id=factor.id, failures_end_at=None).update(set__failures_end_at=moment + _FAILURES_LIFETIME)
    counted = SecondFactor.objects(id=factor.id, failures__lt=_MAX_FAILURES).modify(new=True, inc__failures=1)
    if counted is None:
        detail = "Too many wrong codes: wait before the next one."
        raise TooMany(detail, code="auth.locked", retry_after=int(_FAILURES_LIFETIME.total_seconds()))
    return int(counted.failures)


@unit_of_work
def _record_failure(user_id: ObjectId, failures: int) -> None:
    record(SecondFactorFailed(User.objects.one(user_id), failures=failures))


def _step_of(factor: SecondFactor, code: str) -> int | None:
    """Return the time step that a code belongs to: the present one, or the one before or after it; None if wrong."""
    totp = pyotp.TOTP(_cipher().decrypt(bytes(factor.secret)).decode())
    present = int(now().timestamp()) // _STEP_SECONDS
    steps = [step for step in (present, present - 1, present + 1) if hmac.compare_digest(totp.generate_otp(step), code)]
    return steps[0] if steps else None


def _enabled(user_id: ObjectId) -> SecondFactor | None:
    return SecondFactor.objects(user_id=user_id, confirmed_at__ne=None).first()


def _make_codes() -> list[str]:
    return [f"{secrets.token_hex(4)}-{secrets.token_hex(4)}" for _ in range(RECOVERY_CODES)]


def _hashed(codes: list[str]) -> list[str]:
    return [_hash(code) for code in codes]


def _hash(code: str) -> str:
    """Return the stored hash of a recovery code, which is 64 random bits: one HMAC is enough."""
    return hmac.digest(settings.current().secret(), b"recovery:" + code.strip().lower().encode(), "sha256").hex()


def _cipher() -> Fernet:
    return cipher("second factor")
