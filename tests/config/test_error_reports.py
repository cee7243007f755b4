"""Errors that are logged are reported to Sentry, without secrets, and never hold up a process."""

import gzip
import json

import brotli
import pytest

from taskmanager.embedded import ports
from tests.config.test_logging import lines_of
from tests.quiet_server import QuietHandler, QuietServer

STEP = """
log = structlog.get_logger('taskmanager.errors')
def fail(password):
    raise RuntimeError('refused: Bearer canary7f3a9b2c1d by ada@example.com')
try: fail('canary7f3a9b2c1d')
except RuntimeError: log.exception('failed', request_id='r-1')
log.error('no exception')
try: fail('canary7f3a9b2c1d')
except RuntimeError: logging.getLogger('rq.worker').error('a job failed', exc_info=True)
"""


@pytest.fixture
def sentry():
    """A receiver of envelopes, which keeps them as text."""
    received: list[str] = []

    class Handler(QuietHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            unpack = {"br": brotli.decompress, "gzip": gzip.decompress}.get(self.headers["Content-Encoding"], bytes)
            received.append(unpack(body).decode())
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    server = QuietServer(Handler)
    yield f"http://key@{ports.LOCALHOST}:{server.server_port}/1", received
    server.close()


def test_an_error_is_reported_with_its_ids_and_without_secrets(sentry, tmp_path):
    dsn, received = sentry
    lines = lines_of(STEP, tmp_path, TASKMANAGER_SENTRY_DSN=dsn)
    assert [line["message"] for line in lines] == ["failed", "no exception", "a job failed"]
    reports = [json.loads(line) for text in received for line in text.splitlines() if '"exception"' in line]
    assert [report["exception"]["values"][0]["type"] for report in reports] == ["RuntimeError"] * 2
    assert reports[0]["tags"]["request_id"] == "r-1"
    assert "canary" not in str(received) and "ada@" not in str(received)
    assert dsn not in json.dumps(lines)


def test_a_receiver_that_is_away_stops_nothing(tmp_path):
    dsn = f"http://key@{ports.LOCALHOST}:{ports.choose()}/1"
    assert len(lines_of(STEP, tmp_path, TASKMANAGER_SENTRY_DSN=dsn)) == 3
