"""What gunicorn itself refuses, before the application sees a request: in the shape that every error has."""

import json
import socket
from http import HTTPStatus
from uuid import uuid4

from gunicorn.util import write_nonblock


def write_problem(client: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer with problem+json in place of gunicorn's page; takes the arguments of `gunicorn.util.write_error`.

    An unknown Transfer-Encoding is a 501 there: here it is what it is for the client, a request that cannot be read.
    """
    status = 400 if status == HTTPStatus.NOT_IMPLEMENTED else status
    title, request_id = HTTPStatus(status).phrase, uuid4().hex
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": f"http.{title.lower().replace(' ', '_').replace('-', '_')}",
        "detail": message or HTTPStatus(status).description or title,
        "instance": f"urn:uuid:{request_id}",
        "request_id": request_id,
    }
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Request-ID: {request_id}\r\n\r\n"
    )
    write_nonblock(client, head.encode("latin-1") + body)
