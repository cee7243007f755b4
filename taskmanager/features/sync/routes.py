"""Routes of sync and of the live stream."""

import time
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Expired, Unavailable
from taskmanager.core.events import positions
from taskmanager.features.sync import live, service as sync, tickets, tokens
from taskmanager.features.sync.schemas import StreamQuery, SyncOut, SyncQuery, TicketOut
from taskmanager.features.sync.service import SyncPage
from taskmanager.features.sync.tokens import SyncState
from taskmanager.features.sync.waiting import waiters
from taskmanager.web import answers
from taskmanager.web.authentication.actors import claim, current_actor, fresh_actor, renewed_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.urls import mounted

blp = Blueprint("sync", __name__, scope="projects", description="Copies of what you see, for clients that work offline")
live_blp = Blueprint("stream", __name__, scope="projects", description="Changes as they happen")


@blp.route("/sync", problems=(410,))
@blp.arguments(SyncQuery, location="query")
@blp.response(200, SyncOut)
def get_changes(query: dict[str, Any]) -> Response:
    """Get all that you see, then what has changed since

    Without `token` a full sync begins; ask again with each `next_token`, at once while `has_more` is true. An object is
    sent as it is now, and comes again when it changes. `tombstones` are what was deleted or is not visible to you any
    more. With `wait` the response waits for a change. A token belongs to your account (or to your API token for one
    project) and its types. 410 `sync.token_expired` when it is older than the log: `start` is the path of a new full
    sync. `mutations` are your own changes, by the header `X-Mutation-ID` that you sent with them. See docs/sync.md.
    """
    state = _state(query)
    try:
        page = sync.page(state, query["limit"], actor=current_actor(), fresh=fresh_actor)
        if page.is_empty and query["wait"]:
            page = _wait(page, time.monotonic() + query["wait"])
    except Expired as error:
        raise Expired(error.detail, code="sync.token_expired", start=_start(state)) from None
    return _answer(page)


def _state(query: dict[str, Any]) -> SyncState:
    """Return the state of the token, or that of a new sync. Raises Malformed, ScopeMissing."""
    if "token" not in query:
        return sync.begin(query.get("types"), fresh=fresh_actor)
    state = tokens.verified(query["token"], current_actor(), query.get("types"))
    positions.catch_up()
    return state


def _wait(page: SyncPage, until: float) -> SyncPage:
    """Return the first page that is not empty, or the last one when the time is over.

    The rights of the caller are read anew for each, because they may change meanwhile.
    """
    with waiters.place(current_actor().identity) as may_wait:
        while may_wait and page.is_empty and waiters.pause(until):
            positions.catch_up()
            if positions.head() > page.state.position:
                page = sync.page(page.state, page.limit, actor=renewed_actor(), fresh=fresh_actor)
    return page


def _start(state: SyncState) -> str:
    return mounted(f"{request.path}?types={','.join(state.types)}")


def _answer(page: SyncPage) -> Response:
    return answers.encoded(live.body_of(page, tokens.sign(page.state, current_actor())))


@live_blp.route("/stream", problems=(410,), binary=True)
@live_blp.arguments(StreamQuery, location="query")
@live_blp.response(307)
def open_stream(query: dict[str, Any]) -> Response:
    """Open the live stream (Server-Sent Events)

    The stream is served by a process of its own. A gateway sends this path there; without one the response is a
    redirect to it. The messages `changes` have the form of `GET /sync`, and the position as their id: with
    `Last-Event-ID` a client that returns misses nothing. See docs/sync.md.
    """
    chosen = settings.current()
    if urlsplit(chosen.stream_base)[:2] == urlsplit(chosen.base_url)[:2]:  # a redirect would lead here again
        raise Unavailable("The gateway has to send this path to the stream's process.", code="stream.not_routed")
    where = f"{chosen.stream_base}{mounted(request.path)}"
    parameters = f"?{request.query_string.decode()}" if request.query_string else ""
    return answers.redirected(where + parameters)


@blp.route("/stream/tickets", methods=["POST"], scope="projects:read", idempotent=False, in_maintenance=True)
@blp.response(201, TicketOut, description="The ticket, which has no address of its own")
def create_ticket() -> Response:
    """Get a ticket that opens one stream

    For an `EventSource`, which cannot send an Authorization header: `GET /stream?ticket=…`, once, within 30 seconds.
    A repetition makes another ticket.
    """
    current_actor()
    body = {"ticket": tickets.issue(claim()), "expires_in": tickets.TICKET_SECONDS, "url": _stream_url()}
    return answers.data(body, 201)


def _stream_url() -> str:
    return f"{settings.current().stream_base}{mounted(request.path.rpartition('/')[0])}"
