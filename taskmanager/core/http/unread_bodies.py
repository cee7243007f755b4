"""WSGI middleware for a service behind a proxy: it reads what the application has left of a body.

An application that refuses a request, for example without a login, does not read its body. The server then closes the
connection, and the reset that follows may reach a proxy that still sends the body before it has read the response: it
reports the server as broken. A proxy that has the whole body (`proxy_request_buffering`) sends it at once, so reading
it costs little; a slow client without a proxy could occupy a thread by it, so this is for proxies only.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_CHUNK_BYTES = 1 << 18


def discarding(inner: Wsgi, max_bytes: int) -> Wsgi:
    """Return the application `inner`, which reads up to `max_bytes` of each unread body before it responds."""

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        response = inner(environ, start_response)
        with suppress(OSError, EOFError):  # the proxy has gone
            left = max_bytes
            while left > 0 and (part := environ["wsgi.input"].read(min(left, _CHUNK_BYTES))):
                left -= len(part)
        return response

    return serve
