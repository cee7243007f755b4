"""Use cases of sessions: log in, refresh, end."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from bson import ObjectId
from mongoengine import Q

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Forbidden, NotFound, Unauthenticated
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.networks import network_of
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.text import plain_address
from taskmanager.features.users import one_time_tokens, passwords, service as users
from taskmanager.features.users.events import (
    LoginFailed,
    LoginFailedRepeatedly,
    SessionEnded,
    SessionsEnded,
    SessionStarted,
)
from taskmanager.features.users.models import SecondFactor, Session, User
from taskmanager.features.users.querysets import SessionQuerySet
from taskmanager.features.users.sessions import lockout, login_state, refresh_tokens
from taskmanager.features.users.sessions.login_state import LoginState

TICKET = "second_factor"  # purpose of the one-time tokens that prove the first step of a login
TICKET_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Login:
    """A session that was started or refreshed, with its new refresh token."""

    user: User
    session: Session
    refresh_token: str


def login(*, email: str, password: str, user_agent: str, address: str) -> Login | str:
    """Start a session, or return the ticket for the second step where the account has a second factor.

    Raises Unauthenticated (`auth.invalid_credentials`), the same for an unknown address, a wrong password and a
    disabled account; TooMany (`auth.locked`) after too many of these; Forbidden (`auth.email_unverified`) where
    settings require confirmed addresses.
    """
    email = plain_address(email)
    state = login_state.load(email, address)
    user = state.user
    lockout.check(state.failures, email, address, user)
    fits = passwords.matches(password, user and user.password_hash)
    if not fits or user is None or user.disabled_at:
        _count_failure(email, address, user)
        raise Unauthenticated("The address or the password is wrong.", code="auth.invalid_credentials")
    lockout.reset_failures(state.failures, email, address)
    _rehash(user, password)
    return begin(user, user_agent=user_agent, address=address, state=state)


@unit_of_work
def begin(user: User, *, user_agent: str, address: str, state: LoginState | None = None) -> Login | str:
    """Start a session for a caller who was authenticated as `user`, or return a ticket for the second step.

    `state` was read together with `user`; it is read again if the rights of the account have changed since.
    Raises Forbidden (`auth.email_unverified`) where settings require confirmed addresses, Unauthenticated as `start`.
    """
    if settings.current().require_verified_email and not user.email_verified_at:
        raise Forbidden("Confirm your address first: the link is in your mail.", code="auth.email_unverified")
    if _raise_access_version(user) != user.access_version + 1:
        state = None
    if state.has_second_factor if state else _has_second_factor(user):
        return one_time_tokens.issue(TICKET, user.id, lifetime=TICKET_LIFETIME).text()
    return _start(user, user_agent, address, sessions=state.sessions if state else users.MAX_SESSIONS)


def _has_second_factor(user: User) -> bool:
    return SecondFactor.objects(user_id=user.id, confirmed_at__ne=None).first() is not None


def _count_failure(email: str, address: str, user: User | None) -> None:
    """Count a failed login outside the transaction: parallel attempts must not wait for each other."""
    _record_failure(email, user, repeated=lockout.count_failure(email, address))


@unit_of_work
def _record_failure(email: str, user: User | None, *, repeated: bool) -> None:
    record(LoginFailed(email, user))
    if repeated:
        record(LoginFailedRepeatedly(email, user))


def _rehash(user: User, password: str) -> None:
    """Hash the password again if the cost setting has changed: the plain text is only known at a login."""
    if passwords.needs_rehash(user.password_hash):
        known = User.objects(id=user.id, password_hash=user.password_hash)
        user.password_hash = passwords.make_hash(password)
        known.update(set__password_hash=user.password_hash)


@unit_of_work
def start(user: User, *, user_agent: str, address: str) -> Login:
    """Start a session, without further checks of the caller.

    Raises Unauthenticated when the account was disabled, or its password was changed, since `user` was read.
    """
    _raise_access_version(user)
    return _start(user, user_agent, address, sessions=users.MAX_SESSIONS)


def _raise_access_version(user: User) -> int:
    """Raise the access version and return it. Concurrent logins conflict here, so the number of sessions stays right.

    Raises Unauthenticated when the account was disabled, or its password was changed, since `user` was read.
    """
    version = users.raise_access_version(user.id, password_hash=user.password_hash, disabled_at=None)
    if version is None:
        raise Unauthenticated("The account was changed meanwhile: log in again.", code="auth.invalid_credentials")
    return version


def _start(user: User, user_agent: str, address: str, *, sessions: int) -> Login:
    """Start a session of an account that has `sessions` live ones, or more when that is MAX_SESSIONS."""
    session = Session(
        id=ObjectId(),
        user_id=user.id,
        seed=secrets.token_hex(16),
        expires_at=now() + timedelta(days=settings.current().refresh_token_days),
        user_agent=user_agent[:400],
        address=address,
        network=network_of(address),
    )
    token = refresh_tokens.make(session.id, 1, session.seed)
    session.token_hash = refresh_tokens.fingerprint(token)
    session.save(force_insert=True)
    if sessions >= users.MAX_SESSIONS:
        _end_surplus(user)
    record(SessionStarted(user, session=session))
    return Login(user, session, token)


def refresh(token: str, *, user_agent: str) -> Login:
    """Exchange a refresh token for the next one. Raises Unauthenticated (`auth.invalid_refresh_token`).

    A spent token ends the whole session (RFC 9700, 4.14.2), except within the grace period of a few seconds for the
    same client, which gets the same response again: it may have lost the first one.
    """
    login = _rotate(token, user_agent[:400])
    if login is None:  # raised outside the transaction, which has to commit the end of the session
        raise Unauthenticated("This refresh token is not valid.", code="auth.invalid_refresh_token")
    return login


@unit_of_work
def _rotate(token: str, user_agent: str) -> Login | None:
    claim = refresh_tokens.read(token)
    session = claim and Session.objects.live().filter(id=claim.session_id).first()
    if not claim or not session:
        return None
    if not refresh_tokens.same(token, refresh_tokens.make(session.id, claim.generation, session.seed)):
        return None
    user = User.objects(id=session.user_id, disabled_at=None).first()
    if user is None:
        return None
    if claim.generation == session.generation:
        return _next_generation(user, session)
    if claim.generation == session.generation - 1 and _in_grace(session, user_agent):
        return Login(user, session, refresh_tokens.make(session.id, session.generation, session.seed))
    _end(user, session, because="reuse")
    return None


def _next_generation(user: User, session: Session) -> Login:
    token = refresh_tokens.make(session.id, session.generation + 1, session.seed)
    session = session.write(
        generation=session.generation + 1,
        token_hash=refresh_tokens.fingerprint(token),
        rotated_at=now(),
        expires_at=now() + timedelta(days=settings.current().refresh_token_days),
    )
    return Login(user, session, token)


def _in_grace(session: Session, user_agent: str) -> bool:
    grace = timedelta(seconds=settings.current().refresh_grace_seconds)
    return session.user_agent == user_agent and now() - session.rotated_at <= grace


@unit_of_work
def logout(*, actor: Actor) -> None:
    """End the actor's session: every process refuses its tokens from the next request on."""
    session = Session.objects(id=actor.session_id, user_id=actor.user_id, ended_at=None).first()
    if session is not None:
        _end(User.objects.one(actor.user_id), session, because="logout")


def expire_after(session: Session, hours: int) -> None:
    """Let a session end sooner than by default: what holds it, such as a cookie, is valid for so long only."""
    Session.objects(id=session.id).update(min__expires_at=now() + timedelta(hours=hours))


def visible(actor: Actor) -> Described:
    """Return the actor's own live sessions; `current` is true for the session of this request."""
    found = Session.objects.live().filter(user_id=actor.user_id)
    return Described(found, lambda rows: [{**row, "current": row["_id"] == actor.session_id} for row in rows])


def get(session_id: ObjectId, *, actor: Actor) -> Row:
    """Return one of the actor's own live sessions. Raises NotFound."""
    return visible(actor).row(session_id)


@unit_of_work
def end(session_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """End one of the actor's own sessions. Raises NotFound, PreconditionFailed."""
    session = Session.objects.live().filter(id=session_id, user_id=actor.user_id).first()
    if session is None:
        raise NotFound
    session.check_revision(if_match)
    _end(User.objects.one(actor.user_id), session, because="ended")


@unit_of_work
def end_own(*, except_current: bool, actor: Actor) -> None:
    """End all of the actor's sessions; with `except_current`, all but the current one."""
    keep = actor.session_id if except_current else None
    end_all(User.objects.one(actor.user_id), because="ended", keep=keep)


@unit_of_work
def end_all(user: User, *, because: str, keep: ObjectId | None = None) -> int:
    """End the sessions of an account except `keep`: their tokens are refused from the next request on.

    Uses one command and one event for all sessions. Return how many there were.
    """
    return _end_several(user, Session.objects.live().filter(user_id=user.id, id__ne=keep), because)


def _end_surplus(user: User) -> None:
    """End the oldest sessions of an account beyond MAX_SESSIONS."""
    live = Session.objects.live().filter(user_id=user.id)
    oldest = live.order_by("-created_at", "-id").skip(users.MAX_SESSIONS - 1).only("created_at").first()
    if oldest is not None:
        earlier = Q(created_at__lt=oldest.created_at) | Q(created_at=oldest.created_at, id__lt=oldest.id)
        _end_several(user, live.filter(earlier), "surplus")


def _end_several(user: User, found: SessionQuerySet, because: str) -> int:
    moment = now()
    number = int(
        found.update(set__ended_at=moment, set__ended_because=because, set__updated_at=moment, inc__revision=1)
    )
    if number:
        users.raise_access_versions([user.id])
        record(SessionsEnded(user, because=because, number=number))
    return number


def _end(user: User, session: Session, *, because: str) -> None:
    session.write(ended_at=now(), ended_because=because)
    users.raise_access_versions([user.id])
    record(SessionEnded(user, session=session, because=because))
