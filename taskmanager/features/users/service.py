"""Use cases of accounts and sessions."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import access, remembered, settings
from taskmanager.core.access import Access, Actor
from taskmanager.core.clock import now
from taskmanager.core.documents import Expected
from taskmanager.core.errors import Conflict, Unauthenticated
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.users import passwords, refresh_tokens
from taskmanager.features.users.events import SessionEnded, SessionStarted, UserRegistered, UserUpdated
from taskmanager.features.users.models import Session, User

# An account with more live sessions than this keeps the newest; the others have to log in again.
MOST_SESSIONS = 500


@dataclass(frozen=True)
class Login:
    """A session that was started or refreshed, with the refresh token that the client gets."""

    user: User
    session: Session
    refresh_token: str


def register(*, email: str, password: str, name: str, role: str = "user") -> User:
    """Make an account. Raises Conflict (`user.email_taken`)."""
    # hashed outside of the transaction: it takes a quarter of a second, on purpose
    return _create(email.lower(), passwords.make_hash(password), name, role)


@unit_of_work
def _create(email: str, password_hash: str, name: str, role: str) -> User:
    user = User(email=email, name=name, password_hash=password_hash, role=role)
    try:
        user.save(force_insert=True)
    except NotUniqueError:
        raise Conflict("This address has an account already.", code="user.email_taken") from None
    record(UserRegistered(user))
    return user


def ensure_admin(email: str, password: str) -> bool:
    """Make the administrator's account unless the address has one; answers whether it was made."""
    try:
        register(email=email, password=password, name="Administrator", role="admin")
    except Conflict:
        return False
    return True


def login(*, email: str, password: str, user_agent: str, address: str) -> Login:
    """Start a session. Raises Unauthenticated, alike for an unknown address, a wrong password, a disabled account."""
    user = User.objects(email=email.lower()).first()
    fits = passwords.matches(password, user and user.password_hash)
    if not fits or user.disabled_at:
        raise Unauthenticated("The address or the password is wrong.", code="auth.invalid_credentials")
    return _start_session(user, user_agent[:400], address)


@unit_of_work
def _start_session(user: User, user_agent: str, address: str) -> Login:
    session = Session(
        id=ObjectId(),
        user_id=user.id,
        seed=secrets.token_hex(16),
        expires_at=now() + timedelta(days=settings.current().refresh_token_days),
        user_agent=user_agent,
        address=address,
    )
    token = refresh_tokens.make(session.id, 1, session.seed)
    session.token_hash = refresh_tokens.fingerprint(token)
    session.save(force_insert=True)
    rights_changed([user.id])
    record(SessionStarted(user, session=session))
    return Login(user, session, token)


def refresh(token: str, *, user_agent: str) -> Login:
    """Spend a refresh token for the next one. Raises Unauthenticated.

    A token that was spent before ends the whole session (RFC 9700, 4.14.2), except within the grace of a few
    seconds for the same client, which gets the same answer again: it may have lost the first one.
    """
    login = _rotate(token, user_agent[:400])
    if login is None:  # raised here and not inside, so that what the transaction ended stays ended
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
    """End the actor's session: its tokens are refused from the next request on, in every process."""
    session = Session.objects(id=actor.session_id, user_id=actor.user_id, ended_at=None).first()
    if session is not None:
        _end(User.objects.one(actor.user_id), session, because="logout")


def _end(user: User, session: Session, *, because: str) -> None:
    session.write(ended_at=now(), ended_because=because)
    rights_changed([user.id])
    record(SessionEnded(user, session=session, because=because))


def me(*, actor: Actor) -> User:
    """The actor's own account."""
    return User.objects.one(actor.user_id)


@unit_of_work
def update_me(changes: dict[str, str], *, expected: Expected, actor: Actor) -> User:
    """Change the actor's own account. Raises PreconditionFailed."""
    user = User.objects.one(actor.user_id)
    user.expect(expected)
    differences = user.differences(changes)
    if not differences:
        return user
    user = user.write(**changes)
    remembered.forget("card", user.id)
    record(UserUpdated(user, changes=differences))
    return user


def cards(user_ids: Iterable[ObjectId]) -> dict[ObjectId, dict[str, str]]:
    """What members of a project see of each other: {id: {name, email}}, in at most one query."""
    return remembered.each("card", user_ids, _load_cards)


def _load_cards(user_ids: list[ObjectId]) -> dict[ObjectId, dict[str, str]]:
    rows = User.objects(id__in=user_ids).only("name", "email").as_pymongo()
    return {row["_id"]: {"name": row["name"], "email": row["email"]} for row in rows}


def find_id(*, email: str | None = None, user_id: ObjectId | None = None) -> ObjectId | None:
    """Id of the account that may act with this address or id; None when there is none."""
    query = User.objects(email=email.lower()) if email else User.objects(id=user_id)
    row = query.filter(disabled_at=None).only("id").as_pymongo().first()
    return row["_id"] if row else None


def rights_changed(user_ids: Iterable[ObjectId]) -> None:
    """Call in the transaction that changes what these accounts may do: every process sees it on its next request."""
    ids = list(user_ids)
    User.objects(id__in=ids).update(inc__access_version=1)
    access.changed(ids)


def load_access(user_id: ObjectId) -> Access | None:
    """What the account may do, without its project roles. The version is read first: the rest is never older."""
    user = User.objects(id=user_id).only("role", "access_version", "disabled_at").as_pymongo().first()
    if user is None or user.get("disabled_at"):
        return None
    live = Session.objects.live().filter(user_id=user_id).order_by("-id").limit(MOST_SESSIONS)
    return Access(user_id, user["access_version"], user["role"], frozenset(live.scalar("id")))


def access_versions(user_ids: Iterable[ObjectId]) -> dict[ObjectId, int]:
    """The current `access_version` of accounts."""
    rows = User.objects(id__in=list(user_ids)).only("access_version").as_pymongo()
    return {row["_id"]: row["access_version"] for row in rows}
