"""The live stream of one connection: the changes behind its position, by the rights that hold when they are sent.

A message has the form of a page of `GET /sync`. Its id is the position, so a client that returns with `Last-Event-ID`
misses nothing and gets nothing twice. While content is filled in, messages have no id: a client that returns then gets
it again from its beginning.
"""

from dataclasses import dataclass, replace
from typing import Any

import orjson
from bson import ObjectId

from taskmanager.core.errors import Malformed, ScopeMissing, Unauthenticated
from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.core.security.access import Actor
from taskmanager.features.sync import service as sync, tokens
from taskmanager.features.sync.service import SyncPage
from taskmanager.web.authentication.credentials import CredentialClaim, acting_now

SCOPE = "projects:read"
MAX_OBJECTS = 200  # of one message
MAX_EVENTS = 5_000  # that are looked at together; with more, all connections look for changes


@dataclass
class StreamListener:
    """One connection: who listens, to what, and how far it has been sent."""

    claim: CredentialClaim
    project_id: ObjectId | None
    actor: Actor
    state: tokens.SyncState

    def renew(self) -> None:
        """Load the rights that hold now. Raises Unauthenticated when the session, token or link has ended."""
        self.actor = actor_of(self.claim, self.project_id)

    def topics(self) -> set[str]:
        """Return the streams and the account whose events concern this connection."""
        streams = {f"project:{project_id}" for project_id in self.actor.project_roles}
        return streams | ({f"user:{self.actor.account_id}"} if self.actor.account_id else set())

    def next_message(self) -> bytes | None:
        """Return the next message; None when nothing has changed. Raises Unauthenticated, Expired, ScopeMissing."""
        self.renew()
        while True:
            page = sync.page(self.state, MAX_OBJECTS, actor=self.actor)
            self.state = page.state
            if page.number or page.tombstones:
                return _message(page, self.actor)
            if not page.has_more:
                return None


def actor_of(claim: CredentialClaim, project_id: ObjectId | None) -> Actor:
    """Return the actor of a claim, limited to one project if given. Raises Unauthenticated, ScopeMissing."""
    actor = acting_now(claim)
    if actor is None:
        raise Unauthenticated("This token or session is not valid or has ended.", code="auth.session_ended")
    if not actor.has_scope(SCOPE):
        raise ScopeMissing(scope=SCOPE)
    if project_id is None:
        return actor
    roles = {key: role for key, role in actor.project_roles.items() if key == project_id}
    return replace(actor, project_roles=roles, one_project=True)


def listen(
    claim: CredentialClaim, *, token: str = "", last: str = "", project: str = "", types: str = ""
) -> StreamListener:
    """Return the listener of a request: from a token of `GET /sync`, from a position, or from now on.

    Raises Unauthenticated, ScopeMissing, Malformed, Expired.
    """
    if project and not ObjectId.is_valid(project):
        raise Malformed("`project_id` is not an id.", code="stream.project_invalid")
    project_id = ObjectId(project) if project else None
    actor = actor_of(claim, project_id)
    if project_id and project_id not in actor.project_roles:
        raise Malformed("You see no such project.", code="stream.project_invalid")
    if token and not project:
        state = tokens.verify(token, actor)
    else:
        state = replace(sync.begin(types.split(",") if types else None, actor=actor), targets=[], filled=None)
    if last:
        if not (last.isascii() and last.isdigit() and len(last) < 16):
            raise Malformed("`Last-Event-ID` is not an id of this stream.", code="stream.id_invalid")
        state = replace(state, position=int(last), targets=[], filled=None, step="", key=None)
    sync.check_position(state.position)
    return StreamListener(claim, project_id, actor, state)


def topics_between(after: int, head: int) -> set[str] | None:
    """Return the streams and accounts that events behind a position concern; None when there are too many events."""
    query = {"position": {"$gt": after, "$lte": head}}
    found = Event._get_collection().find(query, {"stream": 1, "accounts": 1}).hint(positions.INDEX)
    rows = list(found.limit(MAX_EVENTS + 1))
    if len(rows) > MAX_EVENTS:
        return None
    return {row["stream"] for row in rows} | {f"user:{one}" for row in rows for one in row.get("accounts", ())}


def _message(page: SyncPage, actor: Actor) -> bytes:
    identity = b"" if page.state.is_filling else b"id: %d\n" % page.state.position
    return identity + b"event: changes\ndata: " + body_of(page, actor) + b"\n\n"


def body_of(page: SyncPage, actor: Actor) -> bytes:
    """Return a page as JSON."""
    objects = b",".join(b'"%s":[%s]' % (name.encode(), b",".join(rows)) for name, rows in page.objects.items())
    rest: dict[str, Any] = {
        "tombstones": page.tombstones,
        "mutations": page.mutations,
        "next_token": tokens.sign(page.state, actor),
        "has_more": page.has_more,
    }
    return b'{"objects":{' + objects + b"}," + orjson.dumps(rest)[1:]
