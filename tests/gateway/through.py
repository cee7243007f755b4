"""Sends what a test sends to its application through the gateway, to the services apart."""

import http.client
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from werkzeug.datastructures import EnvironHeaders

_PATIENCE_SECONDS = 60
_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


class Through:
    """A WSGI application in place of the tested one: clients of tests need no change."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {name: value for name, value in EnvironHeaders(environ) if name.lower() not in _HOP}
        body = environ["wsgi.input"].read()
        connection = http.client.HTTPConnection(self._address, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(environ["REQUEST_METHOD"], _target(environ), body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        given = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        length = answer.getheader("Content-Length") or str(len(content))
        start_response(f"{answer.status} {answer.reason}", [*given, ("Content-Length", length)])
        return [content]


def _target(environ: dict[str, Any]) -> str:
    """Return path and query as a client sends them."""
    path = quote(environ["REQUEST_URI"].partition("?")[0].encode("latin-1"), safe="/%:@!$&'()*+,;=~")
    query = quote(environ["QUERY_STRING"].encode("latin-1"), safe="%=&/?:@!$'()*+,;~")
    return f"{path}?{query}" if query else path
