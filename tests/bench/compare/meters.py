"""What a burst of requests cost: CPU of the server's processes and of MongoDB, memory, commands, keys, trips."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import redis

from taskmanager.core.storage import database
from tests.bench.compare.servers import Server
from tests.bench.seeding.store import Store

# What drivers and this benchmark send by themselves.
_QUIET = {
    "hello",
    "ping",
    "serverStatus",
    "endSessions",
    "isMaster",
    "ismaster",
    "saslStart",
    "buildInfo",
    "getParameter",
}
_QUIET |= {"killSessions", "replSetHeartbeat", "profile"}


class Meters:
    """Counters that only rise; a difference of two readings is what happened in between."""

    def __init__(self, store: Store) -> None:
        urls = (store.settings.queue_url, store.settings.cache_url)
        self._stores = [redis.Redis.from_url(url) for url in urls]
        self._own = 0

    def read(self, server: Server) -> dict[str, float]:
        """Return microseconds of CPU, also of MongoDB, commands, keys, documents, aborted transactions, trips."""
        status = database.client().admin.command("serverStatus")
        metrics = status["metrics"]
        return {
            "cpu": cpu_microseconds(server.processes()),
            "database": cpu_microseconds([psutil.Process(int(status["pid"]))]),
            "commands": _commands(metrics["commands"]),
            "keys": metrics["queryExecutor"]["scanned"],
            "documents": metrics["queryExecutor"]["scannedObjects"],
            "aborted": status["transactions"]["totalAborted"],
            "trips": self._trips(),
        }

    def _trips(self) -> int:
        """Return how often the stores have read from a socket, without the reads of this function."""
        self._own += len(self._stores)
        return sum(int(store.info("stats")["total_reads_processed"]) for store in self._stores) - self._own


def difference(before: dict[str, float], after: dict[str, float], number: int) -> dict[str, float]:
    """Return the difference for one of so many requests."""
    return {name: (after[name] - before[name]) / number for name in before}


def cpu_microseconds(processes: Iterable[psutil.Process]) -> float:
    """Return user and system time of processes, by the scheduler's own count where the kernel has one."""
    return sum(_cpu(process) for process in processes)


def _cpu(process: psutil.Process) -> float:
    total = 0.0
    with suppress(OSError, psutil.NoSuchProcess):
        for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            total += int(path.read_text().split()[0]) / 1000
        if not total:
            times = process.cpu_times()
            total = (times.user + times.system) * 1e6
    return total


def megabytes(server: Server) -> list[float]:
    """Return the resident memory of each process but the first, which only forks."""
    processes = server.processes()
    return [process.memory_info().rss / 1e6 for process in processes[1:] or processes]


def _commands(counts: dict[str, Any]) -> int:
    found = {name: count["total"] for name, count in counts.items() if isinstance(count, dict) and "total" in count}
    return sum(count for name, count in found.items() if name not in _QUIET and not name.startswith("_"))
