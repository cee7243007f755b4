"""Who is acting, and how a process knows at once that it changed.

Each account has an `access_version`, raised in the same transaction as anything that changes what the
account may do: a session ended, a role changed, a membership given or taken. A process keeps what it
loaded of an account and asks the cache store for the version on each request (in the same trip as the
rate limit). A version it does not know makes it load again from MongoDB.

The cache store is never trusted to remember: an entry lives ten seconds, is only ever replaced by a higher
version, and where it is missing or the store is away MongoDB is asked. So nothing that was revoked comes
back, and no session ends, when the store is emptied.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Any

from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.errors import AccountNeeded
from taskmanager.core.servers.stores import RedisError, cache_rest, cache_store
from taskmanager.core.storage.unit_of_work import on_commit

_TTL_SECONDS = 10
_MAX_ACCOUNTS = 10_000

# KEYS[1] the version's key, ARGV[1] the version, ARGV[2] seconds: an older version never replaces a newer one.
_RAISE = """
local known = tonumber(redis.call('GET', KEYS[1]))
if not known or known <= tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
"""


@dataclass(frozen=True)
class Grant:
    """What one API token of an account may be used for: a part of what the account may do."""

    token_hash: str
    scopes: frozenset[str]
    expires_at: datetime
    project_id: ObjectId | None = None


@dataclass(frozen=True)
class Access:
    """What one account may do, as of `version`: empty sessions and tokens for one that may not log in."""

    user_id: ObjectId
    version: int
    role: str = "user"
    sessions: frozenset[ObjectId] = frozenset()
    project_roles: Mapping[ObjectId, str] = field(default_factory=dict)
    tokens: Mapping[ObjectId, Grant] = field(default_factory=dict)
    timezone: str = zones.DEFAULT
    archived: frozenset[ObjectId] = frozenset()

    def by_session(self, session_id: ObjectId) -> "Actor | None":
        """Return the account acting in one of its sessions; None when that has ended."""
        if session_id not in self.sessions:
            return None
        return self._actor(role=self.role, session_id=session_id, project_roles=self.project_roles)

    def by_token(self, token_id: ObjectId, token_hash: str) -> "Actor | None":
        """Return the account acting through one of its API tokens; None when that was revoked or has expired.

        A token never has the global role of its account, and one that is for one project sees no other.
        """
        grant = self.tokens.get(token_id)
        if grant is None or grant.expires_at <= now() or not compare_digest(grant.token_hash, token_hash):
            return None
        roles = self.project_roles
        if grant.project_id is not None:
            roles = {key: role for key, role in roles.items() if key == grant.project_id}
        one_project = grant.project_id is not None
        return self._actor(project_roles=roles, token_id=token_id, scopes=grant.scopes, one_project=one_project)

    def _actor(self, **how: Any) -> "Actor":
        return Actor(self.user_id, timezone=self.timezone, archived=self.archived, **how)


@dataclass(frozen=True)
class Actor:
    """Who does something: the keyword argument `actor` of every use case.

    `scopes` is None for a session, which may do all that its account may; else what it is limited to. `archived` are
    those of the account's projects that can only be read. `timezone` is what a day is to this actor.
    """

    account_id: ObjectId | None
    role: str = "user"
    session_id: ObjectId | None = None
    project_roles: Mapping[ObjectId, str] = field(default_factory=dict)
    token_id: ObjectId | None = None
    scopes: frozenset[str] | None = None
    one_project: bool = False
    timezone: str = zones.DEFAULT
    archived: frozenset[ObjectId] = frozenset()

    @property
    def user_id(self) -> ObjectId:
        """Return the account that acts. Raises Forbidden (`auth.account_needed`) for a visitor, who has none."""
        if self.account_id is None:
            raise AccountNeeded
        return self.account_id

    def has_scope(self, scope: str | None) -> bool:
        """Return whether this way of acting is enough for `scope`; None stands for what only a session may do."""
        return self.scopes is None or scope in self.scopes

    @property
    def identity(self) -> str:
        """Return who this is in log lines and in keys: unlike for everybody else."""
        return str(self.user_id)

    def role_in(self, project_id: ObjectId) -> str | None:
        """Return this actor's role in a project; None for a stranger."""
        return self.project_roles.get(project_id)


# How the tokens of share links begin: the link itself, and a visit that was opened with its password.
SHARE_LINK, SHARE_VISIT = "tl_", "ts_"


@dataclass(frozen=True)
class Visitor(Actor):
    """A visitor who came by a share link, with a role in one project and no account.

    Its `user_id` refuses, so that the id of a link is never taken for that of an account and nothing is done or kept
    without an account.
    """

    account_id: None = None
    scopes: frozenset[str] | None = frozenset()
    link_id: ObjectId | None = None

    @property
    def identity(self) -> str:
        return f"link:{self.link_id}"


def members_only(actor: Actor) -> None:
    """Refuse a visitor what only members read: the past, and who they are. Raises Forbidden (`auth.account_needed`)."""
    if actor.account_id is None:
        raise AccountNeeded


class _Loaders:
    """Where accounts and roles come from; set by the composition root, so that this module knows no feature."""

    load: Callable[[ObjectId], Access | None]
    versions: Callable[[Iterable[ObjectId]], dict[ObjectId, int]]
    token_used: Callable[[ObjectId, str], None]
    visitor: Callable[[str], Visitor | None]


loaders = _Loaders()
_kept: OrderedDict[ObjectId, Access] = OrderedDict()


def key(user_id: ObjectId) -> str:
    """Return key of an account's version in the cache store."""
    return f"tm:access:{user_id}"


def find(user_id: ObjectId, version: int | None) -> Access | None:
    """Return what the account may do now; None when it may not act at all.

    `version` is what the cache store said; None when it was not there or not reached.
    """
    if version is None:
        version = loaders.versions([user_id]).get(user_id)
        if version is None:
            return None
        _publish({user_id: version})
    access = _kept.get(user_id)
    if access is None or access.version < version:
        access = _reload(user_id)
    return access


def kept(user_id: ObjectId) -> Access | None:
    """Return what this process knows of the account's rights, which may have changed since; None for nothing."""
    return _kept.get(user_id)


def changed(user_ids: Iterable[ObjectId]) -> None:
    """Tell every process that these accounts' rights changed; call it in the transaction that raised their versions."""
    ids = list(user_ids)
    on_commit(lambda: _announce(ids))


def republish(user_ids: Iterable[ObjectId]) -> None:
    """Write the current versions to the cache store. Raises RedisError: a job that repeats calls this."""
    for user_id, version in loaders.versions(user_ids).items():
        _raise(user_id, version)


def invalidate_all() -> None:
    """Drop what this process has loaded."""
    _kept.clear()


def _announce(user_ids: list[ObjectId]) -> None:
    for user_id in user_ids:
        _kept.pop(user_id, None)
    _publish(loaders.versions(user_ids))


def _publish(versions: dict[ObjectId, int]) -> None:
    if cache_rest.resting:
        return
    try:
        for user_id, version in versions.items():
            _raise(user_id, version)
    except RedisError:
        cache_rest.failed()  # the entry expires in seconds, and MongoDB is asked while the store is away


def _raise(user_id: ObjectId, version: int) -> None:
    cache_store().eval(_RAISE, 1, key(user_id), version, _TTL_SECONDS)


def _reload(user_id: ObjectId) -> Access | None:
    access = loaders.load(user_id)
    if access is not None:
        _kept[user_id] = access
        if len(_kept) > _MAX_ACCOUNTS:
            _kept.popitem(last=False)
    return access
