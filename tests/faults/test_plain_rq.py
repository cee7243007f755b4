"""The plain tool `rq worker -c workers.settings` does our jobs, and neither worker does anybody else's."""

import pytest
from rq import Queue
from rq.job import JobStatus
from rq.serializers import DefaultSerializer, JSONSerializer

from taskmanager.core.servers.stores import queue_store
from tests import forked
from tests.faults.assignments import Assignments
from tests.faults.stack import PATIENCE, Stack

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("worker", ["rq", "worker"])
def test_jobs_are_done(stack: Stack, worker):
    stack.start("relay", worker)
    before = sum(stack.mailed().values())
    for _ in Assignments().make(5):
        pass
    stack.delivered()
    stack.processes[worker].stop()
    assert sum(stack.mailed().values()) == before + 5


@pytest.mark.parametrize("worker", ["rq", "worker"])
@pytest.mark.parametrize("serializer", [JSONSerializer, DefaultSerializer])
def test_a_planted_job_is_refused(stack: Stack, worker, serializer):
    planted = stack.folder / f"planted-{worker}-{serializer.__name__}"
    queue = Queue("task-high", connection=queue_store(), serializer=serializer)
    job = queue.enqueue("pathlib.Path.touch", str(planted))
    stack.start(worker)
    stack.wait(lambda: job.get_status() == JobStatus.FAILED, "the refusal")
    stack.processes[worker].stop()
    assert not planted.exists()


def test_rq_info_tells_of_our_queues(stack: Stack):
    for _ in Assignments().make(1):
        pass
    stack.start("relay", "worker")
    stack.delivered()
    words = ["-m", "rq.cli", "info", "-c", "workers.settings", "--raw"]
    done = forked.run(words, environment=stack.environment(), timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "queue notification-high" in done.stdout and "worker" in done.stdout
