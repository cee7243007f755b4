"""gunicorn's threads, of which slow clients take none from others.

A connection has no thread until its first bytes are there. A thread that must wait for its client, to send a request or
to read a response, gives back its slot meanwhile: `web_threads` slots work, and up to `MAX_WAITING` further threads
wait. When more wait, or others wait for a thread, those that have waited longest, and for more than a second, end their
connections.
"""

import errno
import math
import re
import select
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ
from typing import Any, Self

from gunicorn.workers.gthread import TConn, ThreadWorker

from taskmanager.core.telemetry.timings import SPENT
from workers.work_threads import WorkThreads

MAX_WAITING = 64
_PROBE, _PROBE_BYTES = re.compile(rb"(?:GET|HEAD) /health/live[ ?]"), 32
_LOOK_SECONDS = 0.2
_MIN_PATIENCE_SECONDS = 1.0


class WaitingClients:
    """The sockets whose threads wait for their clients, with the times since which they do."""

    def __init__(self, queued: Callable[[], int]) -> None:
        """Take a function that returns how many connections wait for a thread."""
        self._queued = queued
        self._since: dict[int, float] = {}
        self._lock = threading.Lock()

    def enter(self, key: int, since: float) -> None:
        """Add a socket."""
        with self._lock:
            self._since[key] = since

    def leave(self, key: int) -> None:
        """Remove a socket."""
        with self._lock:
            self._since.pop(key, None)

    def must_end(self, key: int) -> bool:
        """Return whether too many wait, and this one is among those that have waited longest."""
        with self._lock:
            surplus = max(len(self._since) - MAX_WAITING, self._queued())
            if surplus <= 0 or time.monotonic() - self._since[key] < _MIN_PATIENCE_SECONDS:
                return False
            return key in sorted(self._since, key=self._since.__getitem__)[:surplus]


class PatientSocket(socket.socket):
    """A socket that gives back the slot of its thread while it waits for the client.

    It is one that the system never waits for: gunicorn sets its timeout six times a request, which is a number here.
    """

    threads: WorkThreads
    clients: WaitingClients
    since = 0.0  # when it first waited for the present request
    refused = False  # the client was too slow
    _seconds: float | None = 0.0

    @classmethod
    def of(cls, accepted: socket.socket, threads: WorkThreads, clients: WaitingClients) -> Self:
        """Return such a socket in the place of an accepted one."""
        made = cls(fileno=accepted.detach())
        socket.socket.setblocking(made, False)
        made.threads, made.clients = threads, clients
        return made

    def settimeout(self, seconds: float | None) -> None:
        """Set the seconds after which a wait raises TimeoutError: none for None, and 0 for no wait."""
        self._seconds = seconds

    def gettimeout(self) -> float | None:
        """Return the timeout."""
        return self._seconds

    def setblocking(self, flag: bool) -> None:
        """Set no timeout, or no wait."""
        self._seconds = None if flag else 0.0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what was received; nothing, as at the end, when it was slow while too many wait."""
        while True:
            try:
                return super().recv(size, flags)
            except BlockingIOError:
                if not self._wait(select.POLLIN):
                    return b""

    def send(self, data: Any, flags: int = 0) -> int:
        """Send all."""
        self.sendall(data, flags)
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all; raises ConnectionResetError when the client reads slowly while too many wait."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[super().send(rest, flags) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT):
                    raise ConnectionResetError(errno.ECONNRESET, "too slow") from None

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, in parts."""
        file.seek(offset)
        sent = 0
        while part := file.read(min(65_536, 65_536 if count is None else count - sent)):
            self.sendall(part)
            sent += len(part)
        return sent

    def _wait(self, event: int) -> bool:
        """Wait without a slot until the client goes on; return False when the connection must end.

        Raises TimeoutError, and BlockingIOError where no wait is allowed.
        """
        if self._seconds == 0:
            raise BlockingIOError(errno.EAGAIN, "would wait")
        self.since = self.since or time.monotonic()
        with _Pause(self.threads):
            self.clients.enter(id(self), self.since)
            try:
                return self._poll(event)
            finally:
                self.clients.leave(id(self))

    def _poll(self, event: int) -> bool:
        ends = math.inf if self._seconds is None else time.monotonic() + self._seconds
        poll = select.poll()
        poll.register(self, event)
        while not poll.poll(max(0.0, min(_LOOK_SECONDS, ends - time.monotonic())) * 1000):
            if time.monotonic() >= ends:
                raise TimeoutError("timed out")
            if self.clients.must_end(id(self)):
                self.refused = True
                return False
        return True

    def shutdown(self, how: int) -> None:
        """Shut down; raises OSError for a refused client, so that gunicorn does not wait for it to read the rest."""
        if self.refused:
            raise ConnectionResetError(errno.ECONNRESET, "too slow")
        super().shutdown(how)


class _Pause:
    """A context in which this thread has given back its slot, if it had one."""

    def __init__(self, threads: WorkThreads) -> None:
        self._threads = threads

    def __enter__(self) -> None:
        self._held = self._threads.give_back()

    def __exit__(self, *_: object) -> None:
        if self._held:
            SPENT.queue_ms += self._threads.take_again() * 1000


class _Outcome:
    """What handling a request returned or raised, as gunicorn asks a future for it."""

    error: BaseException | None = None
    value: Any = None

    def cancelled(self) -> bool:
        """Return no: none is."""
        return False

    def result(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class PatientWorker(ThreadWorker):
    """gunicorn's worker of threads, with slots for work."""

    tpool: WorkThreads

    def get_thread_pool(self) -> WorkThreads:
        """Return the threads, of which at most `cfg.threads - MAX_WAITING` work at the same time."""
        threads = WorkThreads(self.cfg.threads - MAX_WAITING, self.cfg.threads)
        self._clients = WaitingClients(threads.without_thread)
        return threads

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, which gets a thread when its first bytes are there."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        known = PatientSocket.of(accepted, self.tpool, self._clients)
        conn = TConn(self.cfg, known, address, listener.getsockname())
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(known, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: TConn) -> None:
        """Let a connection wait for a slot, and a probe for none."""
        self.tpool.submit(partial(self._serve, conn, time.monotonic()), partial(_is_probe, conn))

    def _serve(self, conn: TConn, enqueued_at: float) -> None:
        """Handle a request. Close the connection after its last: gunicorn's main thread would wait for the client."""
        SPENT.queue_ms = (time.monotonic() - enqueued_at) * 1000
        outcome = _Outcome()
        conn.sock.since = 0.0
        try:
            outcome.value = self.handle(conn)
            if not outcome.value:
                conn.close(graceful=True)
        except BaseException as error:
            outcome.error = error
        self.method_queue.defer(self.finish_request, conn, outcome)


def _is_probe(conn: TConn) -> bool:
    """Return whether the bytes that are there begin a request of a probe: it is answered also while all work hangs."""
    if conn.parser and conn.parser.unreader.buf.getvalue():  # then they go on with another request
        return False
    try:
        return _PROBE.match(conn.sock.recv(_PROBE_BYTES, socket.MSG_PEEK)) is not None
    except OSError:
        return False
