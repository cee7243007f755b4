"""gunicorn's threads, of which slow clients take none from others.

A connection has no thread until its first bytes are there. A thread that must wait for its client, to send a request or
to read a response, gives back its slot meanwhile: `web_threads` slots work, and up to `MAX_WAITING` further threads
wait. When more wait, or others wait for a thread, those that have waited longest, and for more than a second, end their
connections.
"""

import errno
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

MAX_WAITING = 64
_PROBE = "/health/live"  # needs no slot: it is answered also while all work hangs
_LOOK_SECONDS = 0.2
_MIN_PATIENCE_SECONDS = 1.0


class WorkSlots(threading.local):
    """The right of a thread to work on a request; at most so many have it."""

    held = False

    def __init__(self, slots: threading.Semaphore) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        self._slots.acquire()
        self.held = True

    def __exit__(self, *_: object) -> None:
        if self.held:
            self.held = False
            self._slots.release()


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
    """A socket that gives back the slot of its thread while it waits for the client."""

    slots: WorkSlots
    clients: WaitingClients
    since = 0.0  # when it first waited for the present request
    refused = False  # the client was too slow

    @classmethod
    def of(cls, accepted: socket.socket, slots: WorkSlots, clients: WaitingClients) -> Self:
        """Return such a socket in the place of an accepted one."""
        made = cls(fileno=accepted.detach())
        made.slots, made.clients = slots, clients
        return made

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what was received; nothing, as at the end, when it was slow while too many wait."""
        if self.gettimeout() is not None:
            return super().recv(size, flags)
        try:
            return super().recv(size, flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return super().recv(size, flags) if self._wait(select.POLLIN) else b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all; raises ConnectionResetError when the client reads slowly while too many wait."""
        if self.gettimeout() is not None:
            return super().sendall(data, flags)
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[super().send(rest, flags | socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT):
                    raise ConnectionResetError(errno.ECONNRESET, "too slow") from None
        return None

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, in parts."""
        file.seek(offset)
        sent = 0
        while part := file.read(min(65_536, 65_536 if count is None else count - sent)):
            self.sendall(part)
            sent += len(part)
        return sent

    def _wait(self, event: int) -> bool:
        """Wait without a slot until the client goes on; return False when the connection must end."""
        held = self.slots.held
        if held:
            self.slots.__exit__()
        self.since = self.since or time.monotonic()
        self.clients.enter(id(self), self.since)
        try:
            return self._poll(event)
        finally:
            self.clients.leave(id(self))
            if held:
                self.slots.__enter__()

    def _poll(self, event: int) -> bool:
        poll = select.poll()
        poll.register(self, event)
        while not poll.poll(_LOOK_SECONDS * 1000):
            if self.clients.must_end(id(self)):
                self.refused = True
                return False
        return True

    def shutdown(self, how: int) -> None:
        """Shut down; raises OSError for a refused client, so that gunicorn does not wait for it to read the rest."""
        if self.refused:
            raise ConnectionResetError(errno.ECONNRESET, "too slow")
        super().shutdown(how)


class PatientWorker(ThreadWorker):
    """gunicorn's worker of threads, with slots for work."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._slots = WorkSlots(threading.Semaphore(self.cfg.threads - MAX_WAITING))
        self._clients = WaitingClients(lambda: self.tpool._work_queue.qsize())  # the pool has no public number of it

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, which gets a thread when its first bytes are there."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        known = PatientSocket.of(accepted, self._slots, self._clients)
        conn = TConn(self.cfg, known, address, listener.getsockname())
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(known, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: TConn) -> None:
        """Let a connection wait for a thread."""
        conn.enqueued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Handle a request with a slot, and a probe without."""
        waited = (conn.sock.since or time.monotonic()) - conn.enqueued_at  # without the wait for the client
        try:
            if req.path == _PROBE:
                return super().handle_request(req, conn)
            ready_at = time.monotonic()
            with self._slots:
                SPENT.queue_ms = (waited + time.monotonic() - ready_at) * 1000
                return super().handle_request(req, conn)
        finally:
            conn.sock.since = 0.0
