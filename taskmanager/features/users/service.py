"""Use cases of accounts."""

from collections.abc import Iterable

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import access, remembered
from taskmanager.core.access import Access, Actor
from taskmanager.core.clock import now
from taskmanager.core.documents import Expected
from taskmanager.core.errors import Conflict
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.users import passwords
from taskmanager.features.users.events import UserRegistered, UserUpdated
from taskmanager.features.users.models import Session, User

# An account with more live sessions than this keeps the newest; the others have to log in again.
MOST_SESSIONS = 500


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


def address_proved(user_id: ObjectId, email: str) -> None:
    """Remember, in the open transaction, that this account's owner reads the mail of this address of his."""
    unproved = User.objects(id=user_id, email=email.lower(), email_verified_at=None)
    unproved.update(inc__revision=1, set__updated_at=now(), set__email_verified_at=now())


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
