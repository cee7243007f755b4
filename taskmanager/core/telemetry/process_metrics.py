"""What a process takes of its machine, and its connections to MongoDB: written every ten seconds by a thread."""

import gc
import threading

import psutil

from taskmanager.core.storage import database
from taskmanager.core.telemetry import instruments

_SECONDS = 10.0


class ProcessMetrics:
    """Writes the metrics of this process."""

    def __init__(self, role: str) -> None:
        self._role, self._process = role, psutil.Process()
        self._cpu, self._collections = 0.0, [0, 0, 0]

    def start(self) -> None:
        """Write now, and from a thread that ends with the process."""
        self.write()
        threading.Thread(target=self._run, daemon=True, name="process-metrics").start()

    def _run(self) -> None:
        wait = threading.Event()
        while not wait.wait(_SECONDS):
            self.write()

    def write(self) -> None:
        """Set the gauges, and add what the counters have grown by since the last time."""
        with self._process.oneshot():
            times = self._process.cpu_times()
            instruments.MEMORY_BYTES.labels(self._role).set(self._process.memory_info().rss)
            instruments.OPEN_FILES.labels(self._role).set(self._process.num_fds())
            instruments.THREADS.labels(self._role).set(self._process.num_threads())
        instruments.PROCESSES.labels(self._role).set(1)
        for state, number in zip(("open", "in use"), database.pool_sizes(), strict=True):
            instruments.POOL_CONNECTIONS.labels(self._role, state).set(number)
        used = times.user + times.system
        instruments.CPU_SECONDS.labels(self._role).inc(max(0.0, used - self._cpu))
        self._cpu = used
        self._write_collections()

    def _write_collections(self) -> None:
        for generation, stats in enumerate(gc.get_stats()):
            grown = stats["collections"] - self._collections[generation]
            instruments.COLLECTIONS.labels(self._role, str(generation)).inc(max(0, grown))
            self._collections[generation] = stats["collections"]
