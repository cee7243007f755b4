"""`/health/live` and `/metrics` of a process without a web server: for workers in containers of their own."""

import threading
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.telemetry.metric_files import ProcessCollector
from workers.heartbeat import unhealthy

_SECONDS = 5.0


class ProbeServer(ThreadingHTTPServer):
    """A server for one process."""

    def __init__(self, settings: Settings, role: str) -> None:
        self.role, self.token = role, settings.metrics_token.get_secret_value().encode()
        super().__init__((settings.host, settings.probe_port), ProbeHandler)


class ProbeHandler(BaseHTTPRequestHandler):
    """Responds to the two paths."""

    timeout = _SECONDS
    server: ProbeServer

    def do_GET(self) -> None:
        """Respond."""
        if self.path == "/health/live":
            sentences = unhealthy(self.server.role)
            self._respond(503 if sentences else 200, b'{"status":"%s"}' % (b"unavailable" if sentences else b"ok"))
        elif self.path == "/metrics":
            self._respond(*self._metrics(), CONTENT_TYPE_LATEST)
        else:
            self._respond(404, b'{"status":404}')

    def _metrics(self) -> tuple[int, bytes]:
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ").strip().encode()
        if not self.server.token or not compare_digest(sent, self.server.token):
            return 401, b""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(ProcessCollector())
        return 200, generate_latest(registry)

    def _respond(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer realm="taskmanager"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: probes come every few seconds."""


def start(settings: Settings, role: str) -> None:
    """Serve on `TASKMANAGER_PROBE_PORT`, in threads that end with the process; do nothing without it."""
    if settings.probe_port:
        server = ProbeServer(settings, role)
        threading.Thread(target=server.serve_forever, daemon=True, name="probe").start()
