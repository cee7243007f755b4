"""A receiver of webhooks as a process that can be killed: it writes down each `webhook-id` before it answers.

Run it as `python -m tests.faults.hook_sink PORT FILE`.
"""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from taskmanager.embedded.ports import LOCALHOST

_HANG_SECONDS = 60


class Handler(BaseHTTPRequestHandler):
    """Says yes to everything, and nothing at all at `/hang`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        line = f"{self.headers.get('webhook-id', '-')} {time.time()} {self.path}\n".encode()
        os.write(self.server.file, line)  # type: ignore[attr-defined]
        if self.path == "/hang":
            time.sleep(_HANG_SECONDS)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """No one reads it."""


def main() -> None:
    """Serve until killed."""
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    ThreadingHTTPServer.allow_reuse_address = True
    server = ThreadingHTTPServer((LOCALHOST, port), Handler)
    server.file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)  # type: ignore[attr-defined]
    server.serve_forever()


if __name__ == "__main__":
    main()
