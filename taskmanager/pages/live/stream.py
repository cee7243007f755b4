"""What a page needs to follow the live stream: the script, a ticket for the session of the page, and a policy."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from bson import ObjectId
from flask import Response

from taskmanager.core.configuration import settings
from taskmanager.core.events import positions
from taskmanager.core.http.links import PAGES
from taskmanager.core.storage.database import causally_consistent
from taskmanager.features.sync import tickets
from taskmanager.pages import rendering
from taskmanager.pages.blueprint import blp, page
from taskmanager.web import answers
from taskmanager.web.authentication.actors import claim, current_actor
from taskmanager.web.urls import mounted

_STREAM = "/api/v1/stream"
TICKETS = "/stream-tickets"
_SCRIPT = (files("taskmanager.pages") / "live.js").read_bytes()
_DIGEST = hashlib.blake2b(_SCRIPT, digest_size=8).hexdigest()
_PATH = f"/assets/{_DIGEST}/live.js"

Render = Callable[..., Response]


@blp.get(_PATH)
def script() -> Response:
    """Return the script of live pages."""
    return answers.immutable(_SCRIPT, "text/javascript; charset=utf-8", _DIGEST)


@page(TICKETS, methods=("POST",), in_maintenance=True)
def create_ticket() -> Response:
    """Return the address of a stream for the session of this page, which opens one within 30 seconds."""
    ticket = tickets.issue(claim())
    return answers.data({"url": f"{settings.current().stream_base}{mounted(_STREAM)}?ticket={ticket}"}, 201)


def places() -> dict[str, str]:
    """Return the addresses of the script and of tickets, as the browser knows them."""
    return {"script": mounted(PAGES + _PATH), "tickets": rendering.url(TICKETS)}


@contextmanager
def live(
    path: str, project_id: ObjectId, types: str, *, adds: str, task_id: ObjectId | None = None
) -> Iterator[Render]:
    """Yield a function that renders a page which follows a project, from the position that was read before its content.

    `path` is that of the page. `types` are those of the stream; objects of the type `adds` may come to the page, on the
    page of a task its own.
    """
    with causally_consistent():
        watched: dict[str, Any] = {"project": project_id, "types": types, "adds": adds, "task": task_id or ""}
        watched["page"] = rendering.url(path)
        actor = current_actor()
        watched |= {"user": actor.user_id, "role": actor.role_in(project_id) or ""}
        watched |= {"position": positions.head()} | places()

        def render(template: str, status: int = 200, **context: Any) -> Response:
            return connected(rendering.render(template, status, live=watched, **context))

        yield render


def connected(response: Response) -> Response:
    """Return a page whose policy admits scripts of this service, and connections to it and to the stream."""
    parts = urlsplit(settings.current().stream_base)
    policy = f"; script-src 'self'; connect-src 'self' {parts.scheme}://{parts.netloc}"
    response.headers["Content-Security-Policy"] += policy
    return response
