"""What logs, metrics and traces cost a read of one task: CPU of the process, with each of them off and on in turn."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from flask import Flask

from config import log_levels
from taskmanager.core.configuration import settings
from taskmanager.core.telemetry import metric_files, otlp, spans, timings
from taskmanager.embedded import ports
from taskmanager.web.telemetry import request_metrics

NUMBER, ROUNDS = 300, 25
_SINK = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def share_files() -> None:
    """Count in files, as the processes of the service do. Call it before the first metric has a value."""
    metric_files.share(Path(tempfile.mkdtemp(dir="/dev/shm")))


@contextmanager
def _without_metrics() -> Iterator[None]:
    with ExitStack() as stack:
        nothing = lambda *args, **options: None  # noqa: E731
        for owner, name in ((request_metrics, "count"), (timings.timed_trip, "__exit__"), (timings, "count_command")):
            stack.enter_context(patch.object(owner, name, nothing))
        yield


@contextmanager
def _logs(level: str) -> Iterator[None]:
    log_levels.use(level, {})
    yield


@contextmanager
def _traces(tracer: otlp.OtlpTracer) -> Iterator[None]:
    spans.active.tracer = tracer
    yield
    spans.active.tracer = None
    tracer._provider.force_flush()  # so that sending them counts here, and not in what is measured next


def measure(get: Callable[[Flask], None], app: Flask) -> list[str]:
    """Return a line for each step: microseconds of a get, and what it costs more than with all off."""
    port = ports.choose()
    sink = subprocess.Popen([sys.executable, "-c", _SINK, str(port)])
    known = settings.current()
    url = f"http://{ports.LOCALHOST}:{port}/v1/traces"
    tracers = {
        ratio: otlp.OtlpTracer(known.model_copy(update={"traces_url": url, "traces_sample": ratio}), "bench")
        for ratio in (0.1, 1.0)
    }
    steps: dict[str, list[Callable[[], object]]] = {
        "all off": [lambda: _logs("ERROR"), _without_metrics],
        "logs": [lambda: _logs("INFO"), _without_metrics],
        "metrics": [lambda: _logs("ERROR")],
        "traces of 10 %": [lambda: _logs("ERROR"), _without_metrics, lambda: _traces(tracers[0.1])],
        "all, traces of 10 %": [lambda: _logs("INFO"), lambda: _traces(tracers[0.1])],
        "all, traces of all": [lambda: _logs("INFO"), lambda: _traces(tracers[1.0])],
    }
    try:
        rounds = [{name: _time(get, app, contexts) for name, contexts in steps.items()} for _ in range(ROUNDS + 1)][1:]
    finally:
        for tracer in tracers.values():
            tracer.end()
        sink.kill()
        sink.wait()
    return [_line(name, rounds) for name in steps]


def _time(get: Callable[[Flask], None], app: Flask, contexts: list[Callable[[], object]]) -> float:
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context())  # type: ignore[arg-type]
        begun = time.process_time()
        for _ in range(NUMBER):
            get(app)
    return (time.process_time() - begun) / NUMBER * 1e6


def _line(name: str, rounds: list[dict[str, float]]) -> str:
    times = statistics.median(found[name] for found in rounds)
    more = [100 * (found[name] / found["all off"] - 1) for found in rounds]
    low, middle, high = statistics.quantiles(more, n=4)
    return f"telemetry: {name:20} {times:6.0f} µs a get  {middle:+5.1f} % (quartiles {low:+.1f} to {high:+.1f})"
