"""The HTTP server below the receivers of the tests: in a thread of its own, and silent on the terminal."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from taskmanager.embedded.ports import LOCALHOST


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that writes no lines about requests."""

    def log_message(self, *args: Any) -> None:
        """Not to the terminal."""


class QuietServer(ThreadingHTTPServer):
    """Serves from now until `close`, at a free port unless one is given."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__((LOCALHOST, port), handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *args: Any) -> None:
        """Connections that end early are part of the tests."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()
