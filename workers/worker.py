"""`python -m workers.worker`: runs jobs, one after the other, in this process.

RQ's own worker forks for each job, which must then connect to all servers again: that takes longer than most jobs. This
worker keeps its connections. When a job crashes the process, the relay dispatches it again, and another worker runs it.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import rq
import structlog
from rq import worker_registration
from rq.exceptions import StopRequested
from rq.job import Job
from rq.worker import SimpleWorker, WorkerStatus

from taskmanager.core.configuration import settings
from taskmanager.core.events.log import queues_of
from taskmanager.core.events.outbox import CallSerializer
from taskmanager.core.events.rq_jobs import SafeJob
from taskmanager.core.servers import service_state
from taskmanager.core.servers.stores import RedisError, queue_store
from taskmanager.features.notifications.channels import mailer
from taskmanager.features.notifications.delivery import thread_pool
from workers import fitness, stopping
from workers.heartbeat import Heartbeat
from workers.process import begin

log = structlog.get_logger("taskmanager.worker")

_MAINTENANCE_SECONDS = 5
_TTL_SECONDS = 20
_WAIT_SECONDS = 15.0  # RQ's own value for this worker_ttl: longer than it blocks for a job
_RETRY_SECONDS = 1.0


class Worker(SimpleWorker):
    """An RQ worker whose death is detected within seconds: with RQ's defaults that takes a quarter of an hour."""

    max_connection_wait_time = 2.0
    log_result_lifespan = False
    stopped = False
    process_heartbeat: Heartbeat | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take the options of RQ's command line; our intervals, serializer and job class replace them."""
        options.pop("default_worker_ttl", None)
        ours = {
            "serializer": CallSerializer,
            "job_class": SafeJob,
            "worker_ttl": _TTL_SECONDS,
            "maintenance_interval": _MAINTENANCE_SECONDS,
        }
        super().__init__(*args, **{**options, **ours})
        self._watch = fitness.Watch()

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return the seconds without a heartbeat after which the relay dispatches the job again."""
        return settings.current().job_silence_seconds

    def work(self, *args: Any, **options: Any) -> bool:
        """Run jobs until a signal, and finish the deliveries of the thread pools."""
        try:
            with thread_pool.opened():
                return super().work(*args, **options)
        finally:
            mailer.close_connections()

    def perform_job(self, job: Job, queue: rq.Queue, execution: Any) -> bool:
        """Run the job, and send heartbeats from another thread while it runs."""
        with self._alive(job, execution):
            return super().perform_job(job, queue, execution)

    @contextlib.contextmanager
    def _alive(self, job: Job, execution: Any) -> Iterator[None]:
        seconds = settings.current().job_silence_seconds
        over = threading.Event()

        def beat() -> None:
            while not over.wait(seconds / 3):
                self._beat()
                with contextlib.suppress(RedisError):
                    self.maintain_heartbeats(job, execution)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()

    def heartbeat(self, *args: Any, **options: Any) -> None:
        """Send a heartbeat; called before and after each wait for a job, also when the queue is away."""
        self._beat()
        super().heartbeat(*args, **options)

    def _beat(self) -> None:
        if self.process_heartbeat:
            self.process_heartbeat.beat()

    def execute_job(self, job: Job, queue: rq.Queue) -> None:
        """Run a job; in a maintenance, once that is over. A job that waits at a signal is left to the relay."""
        self._wait_for_end_of_maintenance()
        if not service_state.is_paused():
            super().execute_job(job, queue)

    def _wait_for_end_of_maintenance(self) -> None:
        if service_state.is_paused():
            before = self.get_state()
            self.set_state(WorkerStatus.SUSPENDED)
            while service_state.is_paused() and not self._stop_requested:
                self.heartbeat()
                time.sleep(_RETRY_SECONDS)
            self.set_state(before)

    def run_maintenance_tasks(self) -> None:
        """Register the worker again when the queue was emptied; called every few seconds, between jobs.

        Ends the process when the database does not fit any more.
        """
        self._watch.look()
        self._wait_for_end_of_maintenance()
        if not self.connection.sismember(self.redis_workers_keys, self.key):
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self)
        super().run_maintenance_tasks()

    def teardown(self) -> None:
        """Stop the thread that listens for commands, also when the queue is away."""
        try:
            super().teardown()
        finally:
            if self.pubsub_thread:
                self.pubsub_thread.stop()  # it ends, and closes its connection, within a minute

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish the running job, then end."""
        self.stopped = True
        super().request_stop(signum, frame)


class _Current:
    """The worker that is running; None while the queue is away."""

    worker: Worker | None = None


def main() -> None:
    """Run jobs until SIGTERM or SIGINT; wait for a queue that is away."""
    stopping.end_in_time(_is_busy)
    heartbeat = Heartbeat("worker")
    if not queues_of(begin(heartbeat).own_services):
        fitness.refuse("The stream service has no queues: no worker is needed for it (TASKMANAGER_SERVICES).")
    watch = fitness.Watch()
    try:
        with contextlib.suppress(StopRequested):
            while not _work(heartbeat):
                heartbeat.beat()
                watch.look()
                time.sleep(_RETRY_SECONDS)
    finally:
        heartbeat.end()


def _is_busy() -> bool:
    """Return whether a job or a delivery is running, which is finished before the end; waiting ones are not."""
    worker = _Current.worker
    return thread_pool.is_busy() or (worker is not None and worker.get_state() == WorkerStatus.BUSY)


def _work(heartbeat: Heartbeat) -> bool:
    """Run jobs as long as the queue responds; return True after a signal."""
    worker = None
    stopping.exit_on_signals(0)  # until RQ sets its handlers
    try:
        worker = _Current.worker = Worker(
            queues_of(settings.current().own_services), connection=queue_store(_WAIT_SECONDS)
        )
        worker.process_heartbeat = heartbeat
        worker.work()
    except RedisError as error:
        log.warning("the queue is away", error=type(error).__name__)
    finally:
        _Current.worker = None
        stopping.exit_on_signals(0)
    return worker is not None and worker.stopped


if __name__ == "__main__":
    main()
