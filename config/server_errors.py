"""Errors of gunicorn, for requests that the application never gets: problem+json, as all errors (RFC 9457)."""

import json
import socket
from http import HTTPStatus
from uuid import uuid4

from gunicorn.util import write_nonblock

from taskmanager.api.errors.protocol import PROTOCOL
from taskmanager.core.configuration import settings

_CODES = {code.status: code for code in PROTOCOL if code.name.startswith("http.")}


def write_problem(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Write problem+json instead of gunicorn's page; the arguments are those of `gunicorn.util.write_error`.

    gunicorn returns 501 for an unknown Transfer-Encoding; this returns 400, because the request cannot be parsed.
    """
    status = 400 if status == HTTPStatus.NOT_IMPLEMENTED else status
    known, request_id, phrase = _CODES.get(status), uuid4().hex, HTTPStatus(status).phrase
    problem = {
        "type": f"{settings.current().public_url}/docs/errors/{known.name}" if known else "about:blank",
        "title": known.title if known else phrase,
        "status": status,
        "code": known.name if known else f"http.{HTTPStatus(status).name.lower()}",
        "detail": message or HTTPStatus(status).description or phrase,
        "instance": f"urn:uuid:{request_id}",
        "request_id": request_id,
    }
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Request-ID: {request_id}\r\n\r\n"
    )
    write_nonblock(client, head.encode("latin-1") + body)
