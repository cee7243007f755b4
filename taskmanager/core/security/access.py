"""The actor of a request, its rights, and how processes learn at once that the rights have changed.

Each account has an `access_version`, raised in the same transaction as every change of the account's rights: a
session ended, a role changed, a membership added or removed. A process caches the rights that it has loaded, and reads
the version from the cache store on each request (in the same round trip as the rate limit). When the version is newer,
the process loads the rights from MongoDB again. It also does so for a session that it does not know: a login takes no
right away, so it does not write the version to the cache store.

The cache store may lose data: an entry expires after ten seconds, is only ever replaced by a higher version, and when
it is missing or the store is away, MongoDB is read. So when the store is emptied, no revoked right returns, and no
session ends.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from threading import Lock
from typing import Any

from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.errors import AccountNeeded
from taskmanager.core.localization import languages
from taskmanager.core.servers.stores import RedisError, cache_outage, cache_store
from taskmanager.core.storage.database import capacity
from taskmanager.core.storage.unit_of_work import on_commit
from taskmanager.core.telemetry.instruments import count_reads

_TTL_SECONDS = 10
_MAX_ACCOUNTS = 10_000

# KEYS[1] the version's key, ARGV[1] the version, ARGV[2] seconds: an older version never replaces a newer one.
_RAISE = """
local known = tonumber(redis.call('GET', KEYS[1]))
if not known or known <= tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
"""


@dataclass(frozen=True)
class Grant:
    """The rights of one API token: a part of the rights of its account."""

    token_hash: str
    scopes: frozenset[str]
    expires_at: datetime
    project_id: ObjectId | None = None


@dataclass(frozen=True)
class Access:
    """The rights of one account, as of `version`; an account that may not log in has no sessions and no tokens."""

    user_id: ObjectId
    version: int
    role: str = "user"
    sessions: frozenset[ObjectId] = frozenset()
    project_roles: Mapping[ObjectId, str] = field(default_factory=dict)
    tokens: Mapping[ObjectId, Grant] = field(default_factory=dict)
    timezone: str = zones.DEFAULT
    locale: str = languages.DEFAULT
    archived: frozenset[ObjectId] = frozenset()
    _by_session: dict[ObjectId, "Actor"] = field(default_factory=dict, init=False, repr=False, compare=False)

    def by_session(self, session_id: ObjectId) -> "Actor | None":
        """Return the actor of one of the account's sessions; None when the session has ended."""
        if session_id not in self.sessions:
            return None
        actor = self._by_session.get(session_id)
        if actor is None:
            actor = self._actor(role=self.role, session_id=session_id, project_roles=self.project_roles)
            self._by_session[session_id] = actor
        return actor

    def by_token(self, token_id: ObjectId, token_hash: str) -> "Actor | None":
        """Return the actor of one of the account's API tokens; None when the token was revoked or has expired.

        A token never has the global role of its account, and a token for one project sees no other project.
        """
        grant = self.tokens.get(token_id)
        if grant is None or grant.expires_at <= now() or not compare_digest(grant.token_hash, token_hash):
            return None
        roles = self.project_roles
        if grant.project_id is not None:
            roles = {key: role for key, role in roles.items() if key == grant.project_id}
        return self._actor(project_roles=roles, token_id=token_id, scopes=grant.scopes, only_project=grant.project_id)

    def _actor(self, **rights: Any) -> "Actor":
        return Actor(self.user_id, timezone=self.timezone, locale=self.locale, archived=self.archived, **rights)


@dataclass(frozen=True)
class Actor:
    """The party that acts: the keyword argument `actor` of every use case.

    `scopes` is None for a session, which has all rights of its account; an API token is limited to its scopes.
    `only_project` is the project of an API token for one project, which the actor sees or not.
    `archived` are the account's projects that can only be read. `timezone` defines the days of this actor, `locale` is
    the language of their pages.
    """

    account_id: ObjectId | None
    role: str = "user"
    session_id: ObjectId | None = None
    project_roles: Mapping[ObjectId, str] = field(default_factory=dict)
    token_id: ObjectId | None = None
    scopes: frozenset[str] | None = None
    only_project: ObjectId | None = None
    timezone: str = zones.DEFAULT
    locale: str = languages.DEFAULT
    archived: frozenset[ObjectId] = frozenset()

    @property
    def one_project(self) -> bool:
        """Return whether the actor is limited to one project."""
        return self.only_project is not None

    @property
    def user_id(self) -> ObjectId:
        """Return the id of the account. Raises AccountNeeded (`auth.account_needed`) for a visitor, who has none."""
        if self.account_id is None:
            raise AccountNeeded
        return self.account_id

    def has_scope(self, scope: str | None) -> bool:
        """Return whether the actor has `scope`; None means what only a session may do."""
        return self.scopes is None or scope in self.scopes

    @property
    def identity(self) -> str:
        """Return the unique identity of this actor for log lines and keys."""
        return str(self.user_id)

    def role_in(self, project_id: ObjectId) -> str | None:
        """Return this actor's role in a project; None for an actor who is not a member."""
        return self.project_roles.get(project_id)


# Prefixes of the tokens of share links: the link itself, and a visit that was opened with the link's password.
SHARE_LINK, SHARE_VISIT = "tl_", "ts_"


@dataclass(frozen=True)
class Visitor(Actor):
    """A visitor of a share link, with a role in one project and no account.

    `user_id` raises AccountNeeded, so that the id of a link is never used as the id of an account, and nothing is
    stored that needs an account.
    """

    account_id: None = None
    scopes: frozenset[str] | None = frozenset()
    link_id: ObjectId | None = None

    @property
    def identity(self) -> str:
        return f"link:{self.link_id}"


def members_only(actor: Actor) -> None:
    """Raise AccountNeeded (`auth.account_needed`) for a visitor: only members read the history and the members."""
    if actor.account_id is None:
        raise AccountNeeded


class _Loaders:
    """The functions that load accounts and roles; the composition root sets them, so this module imports no feature."""

    load: Callable[[ObjectId], Access | None]
    versions: Callable[[Iterable[ObjectId]], dict[ObjectId, int]]
    token_used: Callable[[ObjectId, str], None]
    visitor: Callable[[str], Visitor | None]


loaders = _Loaders()
_kept, _keeping = OrderedDict[ObjectId, Access](), Lock()  # a lock to change it: comparing two ids is Python code


def key(user_id: ObjectId) -> str:
    """Return the key of an account's version in the cache store."""
    return f"tm:access:{user_id}"


def find(user_id: ObjectId, version: int | None, *, session_id: ObjectId | None = None) -> Access | None:
    """Return the present rights of an account; None when there is no such account.

    `version` is the version in the cache store; None when it was missing or the store was not reached. With
    `session_id`, also a session that has begun since the rights were cached is among its sessions.
    """
    if version is None:
        capacity.check_primary()
        version = loaders.versions([user_id]).get(user_id)
        if version is None:
            return None
        _publish({user_id: version})
    access = _kept.get(user_id)
    is_present = (
        access is not None and access.version >= version and (session_id is None or session_id in access.sessions)
    )
    count_reads("access", hits=is_present, misses=not is_present)
    return access if is_present else _reload(user_id)


def stored_version(user_id: ObjectId) -> int | None:
    """Read an account's version from the cache store; None when it has none, or is away."""
    return stored_versions([user_id]).get(user_id)


def stored_versions(user_ids: Sequence[ObjectId]) -> dict[ObjectId, int]:
    """Read the versions of several accounts from the cache store by one round trip; without those that it has not."""
    if cache_outage.resting or not user_ids:
        return {}
    try:
        with cache_store().pipeline(transaction=False) as pipeline:
            for user_id in user_ids:
                pipeline.get(key(user_id))
            found: list[Any] = pipeline.execute()
    except RedisError:
        cache_outage.failed()
        return {}
    return {user_id: int(version) for user_id, version in zip(user_ids, found, strict=True) if version}


def present_versions(user_ids: Sequence[ObjectId]) -> dict[ObjectId, int]:
    """Return the versions of several accounts by one round trip, and one query for those that the cache store has not.

    What was read is not written to the cache store: it serves this moment alone. Raises PyMongoError, Unavailable.
    """
    found = stored_versions(user_ids)
    if missing := [user_id for user_id in user_ids if user_id not in found]:
        capacity.check_primary()
        found |= loaders.versions(missing)
    return found


def kept(user_id: ObjectId) -> Access | None:
    """Return the cached rights of an account, which may be outdated; None when this process has none."""
    return _kept.get(user_id)


def changed(user_ids: Iterable[ObjectId]) -> None:
    """Publish the versions of these accounts after the commit; call it in the transaction that raises them."""
    ids = list(user_ids)
    on_commit(lambda: _announce(ids))


def changed_to(user_id: ObjectId, version: int) -> None:
    """Publish the version of one account after the commit; call it in the transaction that raises it."""
    on_commit(lambda: _announce_versions({user_id: version}))


def republish(user_ids: Iterable[ObjectId]) -> None:
    """Write the current versions to the cache store. Raises RedisError, so that the calling job is repeated."""
    for user_id, version in loaders.versions(user_ids).items():
        _raise(user_id, version)


def invalidate_all() -> None:
    """Invalidate all rights that this process has cached."""
    with _keeping:
        _kept.clear()


def _announce(user_ids: list[ObjectId]) -> None:
    _announce_versions(loaders.versions(user_ids))


def _announce_versions(versions: dict[ObjectId, int]) -> None:
    with _keeping:
        for user_id in versions:
            _kept.pop(user_id, None)
    _publish(versions)


def _publish(versions: dict[ObjectId, int]) -> None:
    if cache_outage.resting:
        return
    try:
        for user_id, version in versions.items():
            _raise(user_id, version)
    except RedisError:
        cache_outage.failed()  # the entry expires in seconds, and MongoDB is read while the store is away


def _raise(user_id: ObjectId, version: int) -> None:
    cache_store().eval(_RAISE, 1, key(user_id), version, _TTL_SECONDS)


def _reload(user_id: ObjectId) -> Access | None:
    capacity.check_primary()
    access = loaders.load(user_id)
    if access is not None:
        with _keeping:
            _kept[user_id] = access
            if len(_kept) > _MAX_ACCOUNTS:
                _kept.popitem(last=False)
    return access
