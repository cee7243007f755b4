"""Spans of the processes that serve no request of the API: the scheduler, the live stream, and RQ's plain worker."""

import contextlib
import os
import time
from collections.abc import Iterator

import pytest
import requests

from taskmanager.core.clock import now
from taskmanager.core.events import outbox, positions
from taskmanager.core.telemetry import otlp
from taskmanager.embedded import ports
from taskmanager.features.notifications.models import Delivery
from tests.faults.stack import eventually
from tests.features.webhooks.conftest import _receiver, hook, receiver
from tests.traces.test_traces import whole_trace
from tests.workers.processes import Process

__all__ = ["_receiver", "hook", "receiver"]


@pytest.fixture
def stream_url(settings, collector) -> Iterator[str]:
    """The stream of a process beside a scheduler; both trace everything."""
    port = ports.choose()
    changes = {"traces_url": collector.url, "traces_sample": 1.0, "stream_port": port}
    running = [Process(role, settings, **changes) for role in ("scheduler", "stream")]
    yield f"http://{ports.LOCALHOST}:{port}/api/v1/stream"
    for process in running:
        process.kill()


def test_scheduler_and_stream_send_their_spans(scene, collector, of_caller, stream_url):
    token = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "traceparent": of_caller.traceparent}

    def is_alive() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(stream_url.replace("/api/v1/stream", "/health/live"), timeout=60).ok
        return False

    eventually(is_alive, "the stream")
    stream = requests.get(stream_url, headers=token, stream=True, timeout=60)
    assert stream.status_code == 200, stream.text
    scene.owner.post(scene.tasks_path, json={"title": "T"})
    positions.place_all()
    next(line for line in stream.iter_lines() if line == b"event: changes")
    stream.close()

    def named(beginning: str) -> list:
        return [one for one in collector.spans if one.name.startswith(beginning)]

    eventually(lambda: named("stream changes") and len(named("periodic ")) > 5, "the spans")
    opened, sent, periodic = collector.named("GET /api/v1/stream"), named("stream changes"), named("periodic ")
    assert (opened.role, opened.trace_id, opened.parent_id) == ("stream", *of_caller)
    assert {one.role for one in periodic} == {"scheduler"}
    assert not any(one.parent_id for one in sent + periodic)
    assert len({one.trace_id for one in periodic}) == len(periodic)
    ids = {one.span_id for one in sent}
    assert any(one.parent_id in ids for one in collector.spans), "reads of the stream"


@pytest.fixture
def plain_worker(settings, collector) -> Iterator[Process]:
    """RQ's own command, which forks for each job."""
    allowed = {"webhook_allow": ports.LOCALHOST, "webhook_timeout_seconds": 5}
    process = Process("rq", settings, traces_url=collector.url, **allowed)
    yield process
    process.kill()


def relay_until(condition, what) -> None:
    """Do the relay's work here, and let deliveries be due, until the condition holds."""

    def relayed() -> bool:
        Delivery.objects(state="pending").update(set__due_at=now(), set__claimed_until=now())
        outbox.relay_batch()
        return condition()

    eventually(relayed, what)


def assign_a_task(scene, **headers):
    """Cause a mail; return its recipient."""
    email = (assignee := scene.member().user).email
    body = {"title": "Call the plumber", "assignee_ids": [str(assignee.id)]}
    assert scene.owner.post(scene.tasks_path, json=body, headers=headers).status_code == 201
    return email


def test_the_plain_worker_of_rq_sends_the_spans_of_its_jobs(
    scene, hook, receiver, mail, collector, of_caller, tracing, plain_worker
):
    """From the request here over its process to the mail and the webhook: each span has its parent in the trace."""
    hook()
    tracer = tracing()
    email = assign_a_task(scene, traceparent=of_caller.traceparent)
    relay_until(lambda: mail.to(email) and receiver.received, "the mail and the webhook")
    eventually(lambda: {"SMTP", "POST webhook"} <= {one.name for one in collector.spans}, "the spans")
    tracer.end()
    trace, above = whole_trace(collector, of_caller)
    for name in ("SMTP", "POST webhook"):
        sent = next(one for one in trace if one.name == name)
        assert above(sent)[-2:] == ["relay task.created", "POST /api/v1/projects/<objectid:project_id>/tasks"]


def test_a_receiver_that_hangs_holds_up_one_job_of_the_plain_worker(scene, mail, collector, tracing, plain_worker):
    """Each fork would wait for it anew: after the first one, forks lose their spans for a while."""
    tracing(traces_url=f"http://{ports.LOCALHOST}:{ports.choose()}/")
    collector.hang()
    began = time.monotonic()
    emails = [assign_a_task(scene) for _ in range(4)]
    relay_until(lambda: all(mail.to(email) for email in emails), "the mails")
    assert collector.hangs
    # once, again by a first job that takes long on a busy machine, and after a while
    assert 1 <= collector.attempts <= 2 + (time.monotonic() - began) // otlp._AWAY_SECONDS


def test_a_job_that_takes_long_does_not_try_again_either(app, collector, tracing):
    """Its spans are sent each second."""
    tracer = tracing()
    tracer._away_until[:] = otlp._MOMENT.pack(time.monotonic() + otlp._AWAY_SECONDS)
    for process, attempts in ((os.getpid(), 1), (0, 1)):  # the worker itself, and a fork of it
        tracer._process = process
        tracer.begin_trace("GET /", "server").end()
        tracer._provider.force_flush()
        assert collector.attempts == attempts
