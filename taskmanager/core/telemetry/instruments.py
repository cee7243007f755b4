"""The metrics that processes count themselves. Each has labels with a bounded number of values.

A metric with labels makes its first value at the first use, so that `metric_files.share` may run after the import.
"""

from bisect import bisect_left
from functools import cache
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

Metric = TypeVar("Metric", Counter, Gauge, Histogram)

REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_COMMAND_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0)
OTHER = "other"


@cache
def labelled(metric: Metric, *labels: str) -> Metric:
    """Return the value of a metric for these labels, which `labels` looks up with a lock and checks each time.

    Only for labels with a bounded number of values.
    """
    return metric.labels(*labels)


def observe(metric: Histogram, amount: float, *labels: str) -> None:
    """Add an amount to the histogram of these labels, as `observe` does, which compares it with each bound in turn."""
    found = labelled(metric, *labels)
    found._sum.inc(amount)
    found._buckets[bisect_left(found._upper_bounds, amount)].inc(1)


disable_created_metrics()  # series that nothing reads, and that files of several processes do not have

REQUESTS = Counter(
    "taskmanager_http_requests", "Requests, by route template and class of status", ("method", "route", "status")
)
REQUEST_SECONDS = Histogram(
    "taskmanager_http_request_duration_seconds",
    "Seconds from the first to the last function of the application",
    ("method", "route"),
    buckets=REQUEST_BOUNDS,
)
RESPONSE_BYTES = Counter("taskmanager_http_response_bytes", "Bytes of bodies of responses", ("route",))
PROBLEMS = Counter("taskmanager_http_problems", "Errors that were returned, by code", ("code",))
REFUSALS = Counter("taskmanager_limiter_refusals", "Requests that a rate limit refused, by budget", ("budget",))
EVENTS = Counter("taskmanager_events_recorded", "Events that were committed, by kind", ("kind",))
COMMAND_SECONDS = Histogram(
    "taskmanager_mongodb_command_duration_seconds",
    "Seconds of commands of MongoDB",
    ("command",),
    buckets=_COMMAND_SECONDS,
)
COMMAND_FAILURES = Counter("taskmanager_mongodb_command_failures", "Commands of MongoDB that failed", ("command",))
STORE_SECONDS = Histogram(
    "taskmanager_store_duration_seconds", "Seconds of round trips to a store", ("store",), buckets=_COMMAND_SECONDS
)
STORE_FAILURES = Counter("taskmanager_store_failures", "Round trips to a store that failed", ("store",))
REPLICA_READS = Counter("taskmanager_replica_reads", "Requests of a kind that secondaries may answer", ("outcome",))
CACHE_READS = Counter("taskmanager_cache_reads", "Values looked up in a cache", ("cache", "outcome"))


def count_reads(kind: str, *, hits: int, misses: int) -> None:
    """Count values that were looked up in a cache."""
    if hits:
        labelled(CACHE_READS, kind, "hit").inc(hits)
    if misses:
        labelled(CACHE_READS, kind, "miss").inc(misses)


JOB_SECONDS = Histogram(
    "taskmanager_job_duration_seconds",
    "Seconds of jobs, by listener or job",
    ("job",),
    buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0),
)
JOB_WAIT_SECONDS = Histogram(
    "taskmanager_job_wait_seconds",
    "Seconds for which jobs waited in a queue",
    ("queue",),
    buckets=(0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 300.0),
)
SPANS = Counter("taskmanager_spans", "Spans of traces, by what became of them", ("outcome",))

# of each living process; see `process_metrics`
POOL_CONNECTIONS = Gauge(
    "taskmanager_mongodb_pool_connections", "Connections to MongoDB, open and in use", ("role", "state"),
    multiprocess_mode="livesum",
)  # fmt: skip
MEMORY_BYTES = Gauge(
    "taskmanager_process_resident_memory_bytes", "Resident memory", ("role",), multiprocess_mode="liveall"
)
OPEN_FILES = Gauge("taskmanager_process_open_fds", "Open file descriptors", ("role",), multiprocess_mode="liveall")
THREADS = Gauge("taskmanager_process_threads", "Threads", ("role",), multiprocess_mode="liveall")
PROCESSES = Gauge("taskmanager_processes", "Processes of this machine", ("role",), multiprocess_mode="livesum")
CPU_SECONDS = Counter("taskmanager_process_cpu_seconds", "Seconds of processor, user and system", ("role",))
COLLECTIONS = Counter("taskmanager_process_gc_collections", "Garbage collections", ("role", "generation"))
