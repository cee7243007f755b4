"""One trace shows a request, its commands, its event, the relay, the jobs, and the messages that come of it."""

import json
import subprocess
import sys

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from taskmanager.core.clock import now
from taskmanager.core.errors import Misconfigured
from taskmanager.core.telemetry import otlp, spans, traces
from taskmanager.core.telemetry.instruments import SPANS
from taskmanager.features.notifications.models import Delivery
from tests.faults.stack import eventually
from tests.features.webhooks.conftest import _receiver, hook, receiver
from tests.web.test_canary import CANARY, inputs

__all__ = ["_receiver", "hook", "receiver"]


def whole_trace(collector, of_caller):
    """The spans of the caller's trace, each of which has its parent in it, and a function that leads to the request."""

    def of_trace():
        return [span for span in collector.spans if span.trace_id == of_caller.trace_id]

    def outside():
        return {span.parent_id for span in of_trace()} - {span.span_id for span in of_trace()}

    # a span is sent when it ends, each second: what is below it may come before
    eventually(lambda: outside() == {of_caller.span_id}, "the whole trace")
    trace = of_trace()
    by_id = {span.span_id: span for span in trace}

    def above(span):
        """The names from a span to the request."""
        return [span.name, *(above(by_id[span.parent_id]) if span.parent_id in by_id else [])]

    return trace, above


def test_a_trace_leads_from_the_request_to_mail_and_webhook(
    scene, hook, receiver, mail, deliver, collector, of_caller, tracing, traced_server
):
    """Every span has its parent in the trace, across four kinds of processes; log lines name trace and span."""
    assignee = scene.member()
    hook()
    worker = tracing()
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "traceparent": of_caller.traceparent}
    body = {"title": "Call the plumber", "assignee_ids": [str(assignee.user.id)]}
    made = requests.post(traced_server.url + scene.tasks_path, json=body, headers=headers, timeout=60)
    assert made.status_code == 201, made.text
    deliver()
    Delivery.objects(state="pending").update(set__due_at=now(), set__claimed_until=now())
    deliver()
    assert mail.to(assignee.user.email) and receiver.received
    worker.end()
    eventually(lambda: any(span.role == "web" for span in collector.spans), "the spans of the web process")

    trace, above = whole_trace(collector, of_caller)
    request = next(span for span in trace if span.parent_id == of_caller.span_id)
    assert (request.role, request.kind) == ("web", Span.SPAN_KIND_SERVER)
    assert request.fields["http.response.status_code"] == 201
    assert "task.created" in [note.get("event.action") for note in request.notes]
    names = {span.name for span in trace if span.parent_id == request.span_id}
    assert {"insert tasks", "insert events", "commitTransaction", "cache trip"} <= names
    smtp, post = (next(span for span in trace if span.name == name) for name in ("SMTP", "POST webhook"))
    assert above(smtp) == ["SMTP", "send email", *above(smtp)[2:-2], "relay task.created", request.name]
    assert above(post)[-2:] == ["relay task.created", request.name]
    assert post.fields["http.response.status_code"] == 204
    kinds = {span.kind for span in trace if span.name.startswith("relay ")}
    assert kinds == {Span.SPAN_KIND_PRODUCER}
    sent = {received.headers["traceparent"] for received in receiver.received}
    assert f"00-{of_caller.trace_id}-{post.span_id}-01" in sent

    lines = [json.loads(line) for line in traced_server.log.read_text().splitlines() if line.startswith("{")]
    [line] = [line for line in lines if line.get("message") == "request" and line["http.request.method"] == "POST"]
    assert (line["trace.id"], line["span.id"]) == (of_caller.trace_id, request.span_id)


def test_a_receiver_that_hangs_holds_up_nothing(scene, collector, traced_server):
    """Requests are answered while the receiver has the first spans and says nothing; so is the end of the server."""
    collector.hang()
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}

    def get():
        return requests.get(traced_server.url + scene.task_path, headers=headers, timeout=60)

    assert get().ok
    assert collector.asked.wait(60)
    assert all(get().ok for _ in range(20))
    traced_server.stop()
    assert collector.hangs


def test_spans_that_cannot_be_sent_are_lost_and_counted(app, collector, tracing):
    """Not more than fit into the queue wait, and the end of a process does not wait for the receiver."""
    collector.hang()
    tracer = tracing()
    number, before = 3 * otlp._MAX_WAITING, _counted()
    for _ in range(number):
        tracer.begin_trace("GET /", "server").end()
    [processor] = tracer._provider._active_span_processor._span_processors
    assert len(processor._batch_processor._queue) <= otlp._MAX_WAITING
    assert _counted()["ended"] - before["ended"] == number
    tracer.end()
    assert collector.hangs


def _counted():
    return {name: SPANS.labels(name)._value.get() for name in ("ended", "sent", "failed")}


@pytest.mark.parametrize(
    ("changes", "flags", "sent"),
    [
        ({"traces_sample": 1.0}, "00", 1),
        ({"traces_sample": 0.0}, "01", 0),
        ({"traces_sample": 0.0}, "", 0),
        ({"traces_sample": 0.0, "traces_follow_callers": True}, "01", 1),
        ({"traces_sample": 1.0, "traces_follow_callers": True}, "00", 0),
    ],
)
def test_the_settings_say_what_is_sampled(client, collector, of_caller, tracing, changes, flags, sent):
    """Callers decide only where they are followed: otherwise strangers could have everything traced."""
    tracer = tracing(**changes)
    header = {"traceparent": of_caller.traceparent[:-2] + flags} if flags else {}
    assert client.get("/api/v1/info", headers=header).status_code == 200
    client.get("/health/live")  # probes are in no trace
    tracer.end()
    found = [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]
    assert [span.name for span in found] == ["GET /api/v1/info"] * sent
    if sent:
        assert (found[0].trace_id, found[0].parent_id) == of_caller


def test_the_context_of_no_trace_begins_one(client, collector, tracing):
    tracer = tracing(traces_sample=1.0)
    client.get("/api/v1/info", headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
    tracer.end()
    found = collector.named("GET /api/v1/info")
    assert (set(found.trace_id) != {"0"}, found.parent_id) == (True, "")


def test_a_fault_is_marked_and_nothing_stays_open(app, client, collector, of_caller, tracing):
    tracer = tracing()
    with pytest.raises(ZeroDivisionError), spans.span("work", parent=of_caller.traceparent):
        raise ZeroDivisionError
    assert spans.current() == ""
    client.get("/api/v1/nothing")
    assert spans.current() == ""
    tracer.end()
    work = collector.named("work")
    assert (work.failed, work.fields["error.type"]) == (True, "ZeroDivisionError")
    assert not collector.named("GET unmatched").failed


def test_nothing_that_clients_send_is_in_a_span_or_an_error(scene, hook, app, deliver, collector, tracing):
    """Nor in what jobs and deliveries of it store, and log."""
    hook("/status/503")
    tracer, client = tracing(), app.test_client()
    owner = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
    for method, path, options in inputs(scene, owner):
        given = {"query_string" if name == "params" else name: value for name, value in options.items()}
        assert client.open(path, method=method, **given).status_code < 500
    deliver()
    tracer.end()
    assert {"POST webhook", "cache trip", "other unmatched"} <= {span.name for span in collector.spans}
    assert CANARY.encode() not in b"".join(collector.raw).lower()
    errors = [str(delivery.last_error) for delivery in Delivery.objects]
    assert any("503" in error for error in errors) and CANARY not in str(errors)


def test_headers_are_sent_and_redacted(settings, collector, tracing, secret_header):
    from taskmanager.core.configuration import settings as in_use
    from taskmanager.core.security.redaction import redact

    tracing(**secret_header).begin_trace("GET /", "server").end()
    spans.active.tracer.end()
    assert collector.headers["authorization"] == "ApiKey canary-of-traces-3f9a"
    in_use.use(settings.model_copy(update=secret_header))
    try:
        assert "canary" not in redact("refused: ApiKey canary-of-traces-3f9a, canary-of-traces-3f9a")
    finally:
        in_use.use(settings)


def test_a_receiver_that_refuses_is_logged_once(collector, tracing, capsys):
    collector.status = 400
    tracer = tracing()
    for _ in range(3):
        tracer.begin_trace("GET /", "server").end()
        tracer._provider.force_flush()
    assert capsys.readouterr().out.count("traces are not received") == 1


def test_processes_import_no_library_that_few_of_them_need():
    step = "import sys, taskmanager.app, workers.process; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", step], capture_output=True, text=True, check=True).stdout.split()
    assert "taskmanager.core.telemetry.spans" in loaded
    # redis-py imports the interface of OpenTelemetry by itself where it is installed
    unwanted = {"taskmanager.core.telemetry.otlp", "opentelemetry.sdk.trace", "opentelemetry.exporter", "sentry_sdk"}
    assert not (unwanted | {"icalendar", "phonenumbers", "emoji", "authlib"}) & set(loaded)


def test_missing_packages_are_named(settings, monkeypatch):
    monkeypatch.delitem(sys.modules, "taskmanager.core.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(Misconfigured, match=r"taskmanager-backend\[traces\]"):
        traces.begin(settings.model_copy(update={"traces_url": "http://127.0.0.1:4318/v1/traces"}), "web")
