"""A circuit breaker for the database: while the database is known to be unreachable, requests fail without waiting.

`timeoutMS` bounds each operation, also on a server that hangs; without the breaker every request of an outage would
still hold a thread for that long. Source: M. Nygard, "Release It!", Circuit Breaker.
"""

import threading
import time
from collections.abc import Callable

from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from taskmanager.core.errors import Unavailable

_PROBE_EVERY_SECONDS = 0.5
_LOST = (AutoReconnect, ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError)


class CircuitBreaker:
    """Opens after an error that means that the server was not reached; probes the server twice a second.

    Only one caller at a time waits for a probe; the others get `Unavailable` without waiting.
    """

    def __init__(self, ping: Callable[[], bool]) -> None:
        """Take `ping`, which returns, in bounded time, whether the server responds."""
        self._ping = ping
        self._lock = threading.Lock()
        self._open = False
        self._probe_at = 0.0

    def trip(self, error: PyMongoError) -> None:
        """Open when `error` means that the server was not reached in time.

        An operation that timed out may be one expensive request on a healthy server: the next request probes at once.
        """
        if not (isinstance(error, _LOST) or error.timeout) or _said_by_server(error):
            return
        slow = error.timeout and not isinstance(error, ServerSelectionTimeoutError)
        self._open_for(0 if slow else _PROBE_EVERY_SECONDS)

    def close(self) -> None:
        """Close the breaker: requests pass again."""
        self._open = False

    def check(self) -> None:
        """Raise Unavailable while open, except for a caller whose probe succeeds, which closes the breaker."""
        if not self._open:
            return
        with self._lock:
            if time.monotonic() < self._probe_at:
                raise unavailable()
            self._probe_at = time.monotonic() + 2 * _PROBE_EVERY_SECONDS
        if not self._ping():
            raise unavailable()
        self.close()

    def suspect(self, *, gone: bool) -> None:
        """Open and raise Unavailable unless the server responds; with `gone` that is known without a probe."""
        if gone or not self._ping():
            self._open_for(_PROBE_EVERY_SECONDS)
            raise unavailable()

    def _open_for(self, seconds: float) -> None:
        with self._lock:
            self._open, self._probe_at = True, time.monotonic() + seconds


def unavailable() -> Unavailable:
    """Return the error of a request that cannot reach the database."""
    return Unavailable("The database is not available. Try again shortly.", code="database.unavailable")


def _said_by_server(error: PyMongoError) -> bool:
    """Return whether the server itself reported the timeout; the driver's own errors have no `codeName`."""
    return isinstance(error, OperationFailure) and "codeName" in (error.details or {})
