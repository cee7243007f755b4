"""The real servers for tests: one MongoDB and two Valkeys for a whole run, shared by all its processes."""

import tempfile
from pathlib import Path
from typing import Any

from taskmanager.embedded import mongod, valkey

# Valkey has sixteen numbered databases.
_MAX_WORKERS = 16
_START_SECONDS = 300.0


class Servers:
    """Starts and stops the servers; `addresses` can be sent to another process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="taskmanager-tests-")
        path = Path(self._folder.name)
        # Once a minute TTL indexes delete what is over by the clock of the server: also what a test has just stored
        # that travels into the past.
        self._mongod = mongod.MongodServer(
            path / "mongodb", for_tests=True, transactionLifetimeLimitSeconds="10", ttlMonitorEnabled="false"
        )
        self._queue = valkey.ValkeyServer(path / "queue", role="queue")
        self._cache = valkey.ValkeyServer(path / "cache", role="cache")

    def start(self) -> dict[str, Any]:
        """Start all servers; return their addresses for `of_worker`."""
        for server in (self._mongod, self._queue, self._cache):
            server.start(timeout=_START_SECONDS)
        return {"mongodb": self._mongod.host, "queue": self._queue.port, "cache": self._cache.port}

    def stop(self) -> None:
        """Stop all servers and delete their data."""
        for server in (self._mongod, self._queue, self._cache):
            server.stop(patience=0)
        self._folder.cleanup()


def of_worker(addresses: dict[str, Any], worker: str) -> dict[str, str]:
    """Return the settings of one test process, with databases of its own.

    The application name differs too, so that a failpoint for it affects no other test process.
    """
    number = int("".join(filter(str.isdigit, worker)) or 0)
    if number >= _MAX_WORKERS:
        raise ValueError(f"at most {_MAX_WORKERS} test processes")
    name = f"taskmanager_{worker}"
    return {
        "mongodb_uri": f"mongodb://{addresses['mongodb']}/{name}?replicaSet={mongod.REPLICA_SET}&appName={name}",
        "queue_url": f"redis://127.0.0.1:{addresses['queue']}/{number}",
        "cache_url": f"redis://127.0.0.1:{addresses['cache']}/{number}",
    }
