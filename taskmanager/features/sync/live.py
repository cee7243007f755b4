"""The live stream of one connection: the changes behind its position, by the rights that hold when they are sent.

A message has the form of a page of `GET /sync`. Its id is the position, so a client that returns with `Last-Event-ID`
misses nothing and gets nothing twice. While content is filled in, messages have no id: a client that returns then gets
it again from its beginning.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from bson import ObjectId

from taskmanager.core.errors import Forbidden, Malformed, ScopeMissing, Unauthenticated
from taskmanager.core.events import positions
from taskmanager.core.security.access import Actor
from taskmanager.features.sync import service as sync, tokens
from taskmanager.features.sync.objects import TYPES
from taskmanager.features.sync.service import SyncPage
from taskmanager.features.sync.window import ANY_TOPIC, EventWindow
from taskmanager.web.authentication.credentials import CredentialClaim, acting_now

SCOPE = "projects:read"
MAX_OBJECTS = 200  # of one message
_VERSION_SECONDS = 0.5  # for so long a version of the rights is used that was read for several connections


@dataclass
class StreamListener:
    """One connection: who listens, to what, and how far it has been sent."""

    claim: CredentialClaim
    project_id: ObjectId | None
    actor: Actor
    state: tokens.SyncState
    version: int | None = None  # of the rights, as it was read for several connections at `version_at`
    version_at: float = 0.0

    def renew(self, *, fresh: bool = False) -> Actor:
        """Load the rights that hold now. Raises Unauthenticated when the session, token or link has ended."""
        version = self.version if time.monotonic() < self.version_at + _VERSION_SECONDS else None
        self.actor = actor_of(self.claim, self.project_id, fresh=fresh, version=version)
        return self.actor

    def know(self, version: int | None) -> None:
        """Note the version of the rights, which was read at this moment."""
        self.version, self.version_at = version, time.monotonic()

    def topics(self) -> set[str]:
        """Return the streams and the account whose events concern this connection."""
        streams = {f"project:{project_id}" for project_id in self.actor.project_roles}
        return streams | ({f"user:{self.actor.account_id}"} if self.actor.account_id else set())

    def has_all_of(self, window: EventWindow | None) -> bool:
        """Return whether all of a window was sent, so that the next message comes with a later one."""
        return window is not None and not self.state.is_filling and self.state.position == window.head

    def next_message(self, window: EventWindow | None = None) -> bytes | None:
        """Return the next message; None when nothing has changed. Raises Unauthenticated, Expired, ScopeMissing.

        `window` has the latest events, which are not read from the log then.
        """
        fresh = partial(self.renew, fresh=True)
        while True:
            page = sync.page(self.state, MAX_OBJECTS, actor=self.renew(), fresh=fresh, window=window)
            self.state = page.state
            if page.number or page.tombstones:
                return self._message(page)
            if not page.has_more:
                return None

    def _message(self, page: SyncPage) -> bytes:
        """Return a page as a message. A stream of one project has no token: GET /sync would take it for more."""
        is_within = page.state.is_filling or page.state.skip
        identity = b"" if is_within else b"id: %d\n" % page.state.position
        token = None if self.project_id else tokens.sign(page.state, self.actor)
        return identity + b"event: changes\ndata: " + body_of(page, token) + b"\n\n"


class LogListener(StreamListener):
    """A connection of an administrator that hears that something has happened, and nothing of what.

    The pages for operators read themselves again then.
    """

    def renew(self, *, fresh: bool = False) -> Actor:
        """Load the rights that hold now. Raises Unauthenticated, and Forbidden unless it is an administrator."""
        actor = super().renew(fresh=fresh)
        check_administrator(actor)
        return actor

    def topics(self) -> set[str]:
        """Return what concerns this connection: all."""
        return {ANY_TOPIC}

    def next_message(self, window: EventWindow | None = None) -> bytes | None:
        """Return a message when the log has moved on; None when it has not. Raises Unauthenticated, Forbidden."""
        self.renew()
        head = window.head if window else positions.head()
        if head <= self.state.position:
            return None
        self.state = replace(self.state, position=head)
        return b"id: %d\nevent: moved\ndata: {}\n\n" % head


def check_administrator(actor: Actor) -> None:
    """Raise Forbidden unless the actor is the session of an administrator."""
    if actor.role != "admin":
        raise Forbidden("Only administrators may watch the log.")


def actor_of(
    claim: CredentialClaim, project_id: ObjectId | None, *, fresh: bool = False, version: int | None = None
) -> Actor:
    """Return the actor of a claim, limited to one project if given. Raises Unauthenticated, ScopeMissing."""
    actor = acting_now(claim, fresh=fresh, version=version)
    if actor is None:
        raise Unauthenticated("This token or session is not valid or has ended.", code="auth.session_ended")
    if not actor.has_scope(SCOPE):
        raise ScopeMissing(scope=SCOPE)
    if project_id is None:
        return actor
    roles = {key: role for key, role in actor.project_roles.items() if key == project_id}
    return replace(actor, project_roles=roles, only_project=project_id)


def watch_log(claim: CredentialClaim, *, last: str = "") -> LogListener:
    """Return the listener of an administrator to all that happens. Raises Unauthenticated, Forbidden, Malformed."""
    actor = actor_of(claim, None, fresh=True)
    check_administrator(actor)
    state = tokens.SyncState(positions.head(), [])
    return LogListener(claim, None, actor, _moved(state, last) if last else state)


def listen(
    claim: CredentialClaim, *, token: str = "", last: str = "", project: str = "", types: str = ""
) -> StreamListener:
    """Return the listener of a request: from a token of `GET /sync`, from a position, or from now on.

    Raises Unauthenticated, ScopeMissing, Malformed, Expired.
    """
    if project and token:
        raise Malformed("A sync token is not for one project.", code="stream.token_with_project")
    if project and not ObjectId.is_valid(project):
        raise Malformed("`project_id` is not an id.", code="stream.project_invalid")
    project_id = ObjectId(project) if project else None
    fresh, names = partial(actor_of, claim, project_id, fresh=True), _names(types)
    if token:
        state = tokens.verified(token, fresh(), names)
    else:
        state = replace(sync.begin(names, fresh=fresh), targets=[], filled=None)
    if last:
        state = _moved(state, last)
    sync.check_position(state.position)
    actor = fresh()
    if project_id and project_id not in actor.project_roles:
        raise Malformed("You see no such project.", code="stream.project_invalid")
    return StreamListener(claim, project_id, actor, state)


def _names(types: str) -> list[str] | None:
    """Return the types that a request names, once each; None for all. Raises Malformed for a type that is none."""
    names = list(dict.fromkeys(types.split(","))) if types else None
    if names and not TYPES.keys() >= set(names):
        raise Malformed(f"`types` are some of: {', '.join(TYPES)}.", code="stream.types_invalid")
    return names


def _moved(state: tokens.SyncState, last: str) -> tokens.SyncState:
    """Return a state at the position of a `Last-Event-ID`. Raises Malformed."""
    if not (last.isascii() and last.isdigit() and len(last) < 16):
        raise Malformed("`Last-Event-ID` is not an id of this stream.", code="stream.id_invalid")
    return replace(state, position=int(last), targets=[], filled=None, step="", key=None, skip=0)


def body_of(page: SyncPage, token: str | None) -> bytes:
    """Return a page as JSON; without `token` it has no `next_token`."""
    objects = b",".join(b'"%s":[%s]' % (name.encode(), b",".join(rows)) for name, rows in page.objects.items())
    rest: dict[str, Any] = {
        "tombstones": page.tombstones,
        "mutations": page.mutations,
        "has_more": page.has_more,
    } | ({"next_token": token} if token else {})
    return b'{"objects":{' + objects + b"}," + orjson.dumps(rest)[1:]
