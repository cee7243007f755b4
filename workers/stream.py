"""`taskmanager stream`: the live stream (Server-Sent Events), a process of its own.

An asynchronous server holds the connections; threads read the database. One watcher reads new events of the log, once
for all connections, and wakes those that they concern. Each of them then reads the objects, by the rights that hold
then.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
import uvicorn
from flask import Flask
from pymongo.errors import PyMongoError

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.errors import (
    Expired,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    ScopeMissing,
    TaskManagerError,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from taskmanager.core.telemetry import spans
from taskmanager.features.sync import live, tickets
from taskmanager.features.sync.live import StreamListener
from taskmanager.features.sync.window import EventWindow
from taskmanager.web.authentication.credentials import CredentialClaim, claim_of
from taskmanager.web.errors import problem_body
from workers import stopping
from workers.heartbeat import Heartbeat
from workers.process import begin_app
from workers.stream_hub import HEARTBEATS, RETRY_SECONDS, Hub, StreamConnection

log = structlog.get_logger("taskmanager.stream")

PATH = "/api/v1/stream"
_HEARTBEAT_SECONDS = 15.0
_SLOW_SECONDS = 10.0  # a reader that takes longer for a message is dropped
_GONE_MILLISECONDS = 20_000  # then the system ends the connection of a reader that takes nothing, with its buffer
_THREADS = 8
# Any page may connect: nothing is sent without a ticket or a token, and browsers add neither by themselves.
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_STATUS: dict[type[TaskManagerError], int] = {
    Invalid: 422,
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    ScopeMissing: 403,
    NotFound: 404,
    Expired: 410,
    TooMany: 429,
    Unavailable: 503,
}

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class StreamApplication:
    """The ASGI application: the stream, and a check of the process."""

    def __init__(self, app: Flask, hub: Hub) -> None:
        self.app, self.hub = app, hub

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/health/live":
            await _answer(send, 200, {"status": "ok"})
        elif scope["path"].rstrip("/").endswith(PATH) and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            await self._refuse(scope, send, NotFound("This process serves the stream only."))

    async def _stream(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            query = _query_of(scope)
            if (heartbeat := query.get("heartbeat", "")) not in HEARTBEATS:
                raise Invalid("query.heartbeat", "Must be one of: event.")
            listener = await asyncio.to_thread(self._listener, scope, query)
            connection = self.hub.add(listener, _address_of(scope))
            connection.heartbeat = HEARTBEATS[heartbeat]
        except TaskManagerError as error:
            await self._refuse(scope, send, error)
            return
        except PyMongoError:
            await self._refuse(scope, send, Unavailable())
            return
        try:
            await _serve(connection, self.hub, receive, send)
        finally:
            self.hub.remove(connection)

    async def _refuse(self, scope: dict[str, Any], send: Send, error: TaskManagerError) -> None:
        """Answer with the problem that a web process would answer with."""
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
        given = [(b"X-Request-ID", value) for name, value in scope["headers"] if name == b"x-request-id"]
        headers = [(name.decode(), value.decode("latin-1")) for name, value in given]
        with self.app.test_request_context(scope["path"], headers=headers):
            body = problem_body(status, code=error.code, detail=error.detail, **error.extra)
        await _answer(send, status, body, (b"x-request-id", body["request_id"].encode()))

    def _listener(self, scope: dict[str, Any], query: dict[str, str]) -> StreamListener:
        """Return what a new connection listens to; its span ends before the first byte is sent."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with spans.first_span(f"GET {PATH}", "server", headers.get(spans.TRACEPARENT, ""), http__route=PATH):
            return self._listening(headers, query)

    def _listening(self, headers: dict[str, str], query: dict[str, str]) -> StreamListener:
        last = headers.get("last-event-id") or query.get("last_event_id", "")
        given = {
            "token": query.get("token", ""),
            "project": query.get("project_id", ""),
            "types": query.get("types", ""),
        }
        if "watch" in query:
            if query["watch"] != "log" or any(given.values()):
                raise Invalid("query.watch", "Must be `log`, without token, types and project_id.")
            return live.watch_log(self._claim(headers, query), last=last)
        return live.listen(self._claim(headers, query), last=last, **given)

    def _claim(self, headers: dict[str, str], query: dict[str, str]) -> CredentialClaim:
        if "ticket" in query:
            return tickets.redeem(query["ticket"])
        with self.app.app_context():
            return claim_of(headers.get("authorization"))


def _query_of(scope: dict[str, Any]) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}


def _address_of(scope: dict[str, Any]) -> str:
    """Return the address of the client: the one that the outermost of our proxies has seen, as the API counts it."""
    direct, count = str((scope.get("client") or ("",))[0]), core_settings.current().proxy_count
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    addresses = [one.strip() for one in ",".join(given).split(",") if one.strip()]
    return addresses[-count] if 0 < count <= len(addresses) else direct


async def _serve(connection: StreamConnection, hub: Hub, receive: Receive, send: Send) -> None:
    """Send changes until the client goes away, reads too slowly, or loses its rights."""
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        _ANY_ORIGIN,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.create_task(_gone(receive))
    sending = asyncio.create_task(_send_changes(connection, hub, send))
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        sending.cancel()
        for ended in await asyncio.gather(gone, sending, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, OSError):  # such as TimeoutError: a slow reader
                log.error("a stream ended by an error", exc_info=ended)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_changes(connection: StreamConnection, hub: Hub, send: Send) -> None:
    await _write(send, b"retry: 2000\n: %d\n\n" % connection.listener.state.position)
    while True:
        connection.wake.clear()
        try:
            while message := await asyncio.to_thread(_next_message, connection.listener, hub.window):
                connection.topics = connection.listener.topics()
                await _write(send, message)
                if connection.listener.has_all_of(hub.window):
                    break
        except PyMongoError:
            await asyncio.sleep(RETRY_SECONDS)
            connection.wake.set()
        except TaskManagerError as error:
            await _write(send, b"event: end\ndata: " + orjson.dumps({"code": error.code}) + b"\n\n", more=False)
            return
        connection.topics = connection.listener.topics()
        try:
            await asyncio.wait_for(connection.wake.wait(), _HEARTBEAT_SECONDS)
        except TimeoutError:
            await _write(send, connection.heartbeat)


def _next_message(listener: StreamListener, window: EventWindow | None) -> bytes | None:
    with spans.first_span("stream changes"):
        return listener.next_message(window)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    """Send a part; raises TimeoutError for a reader that does not take it, whose connection then ends."""
    await asyncio.wait_for(send({"type": "http.response.body", "body": body, "more_body": more}), _SLOW_SECONDS)


async def _answer(send: Send, status: int, body: dict[str, Any], *more: tuple[bytes, bytes]) -> None:
    kind = b"application/json" if status == 200 else b"application/problem+json"
    headers = [(b"content-type", kind), (b"cache-control", b"no-store"), _ANY_ORIGIN, *more]
    if status in (429, 503):
        headers.append((b"retry-after", b"2"))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="taskmanager"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body, default=str)})


def listening(config: uvicorn.Config) -> socket.socket:
    """Return the socket of the server. Its connections end when a reader takes nothing, so that no buffer stays."""
    bound = config.bind_socket()
    if sys.platform == "linux":
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MILLISECONDS)
    return bound


async def _run(app: Flask, heartbeat: Heartbeat) -> None:
    chosen, hub = core_settings.current(), Hub()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    config = uvicorn.Config(
        StreamApplication(app, hub),
        host=chosen.host,
        port=chosen.stream_port,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    watcher = asyncio.create_task(hub.watch(heartbeat.beat))
    try:
        await uvicorn.Server(config).serve(sockets=[listening(config)])
    finally:
        watcher.cancel()


def main() -> None:
    """Serve the stream until SIGTERM or SIGINT."""
    stopping.end_in_time()
    heartbeat = Heartbeat("stream")
    app = begin_app(heartbeat)
    try:
        asyncio.run(_run(app, heartbeat))
    finally:
        heartbeat.end()


if __name__ == "__main__":
    main()
