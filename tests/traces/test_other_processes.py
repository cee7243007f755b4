"""Spans of the processes that serve no request of the API: the scheduler and the live stream."""

import contextlib
from collections.abc import Iterator

import pytest
import requests

from taskmanager.core.events import positions
from taskmanager.embedded import ports
from tests.faults.stack import eventually
from tests.traces.test_traces import CALLER, TRACE, TRACEPARENT
from tests.workers.processes import Process


@pytest.fixture
def stream_url(settings, collector) -> Iterator[str]:
    """The stream of a process beside a scheduler; both trace everything."""
    port = ports.choose()
    changes = {"traces_url": collector.url, "traces_sample": 1.0, "stream_port": port}
    running = [Process(role, settings, **changes) for role in ("scheduler", "stream")]
    yield f"http://{ports.LOCALHOST}:{port}/api/v1/stream"
    for process in running:
        process.kill()


def test_scheduler_and_stream_send_their_spans(scene, collector, stream_url):
    token = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "traceparent": TRACEPARENT}

    def is_alive() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(stream_url.replace("/api/v1/stream", "/health/live"), timeout=60).ok
        return False

    eventually(is_alive, "the stream", 60)
    stream = requests.get(stream_url, headers=token, stream=True, timeout=60)
    assert stream.status_code == 200, stream.text
    scene.owner.post(scene.tasks_path, json={"title": "T"})
    positions.place_all()
    next(line for line in stream.iter_lines() if line == b"event: changes")
    stream.close()

    def named(beginning: str) -> list:
        return [one for one in collector.spans if one.name.startswith(beginning)]

    eventually(lambda: named("stream changes") and len(named("periodic ")) > 5, "the spans", 60)
    opened, sent, periodic = collector.named("GET /api/v1/stream"), named("stream changes"), named("periodic ")
    assert (opened.role, opened.trace_id, opened.parent_id) == ("stream", TRACE, CALLER)
    assert {one.role for one in periodic} == {"scheduler"}
    assert not any(one.parent_id for one in sent + periodic)
    assert len({one.trace_id for one in periodic}) == len(periodic)
    ids = {one.span_id for one in sent}
    assert any(one.parent_id in ids for one in collector.spans), "reads of the stream"
