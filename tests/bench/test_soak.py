"""The verdict of the soak, and that the client notices a wrong answer."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from taskmanager.embedded import ports
from tests.bench import soak
from tests.bench.compare.client import Request, burst

LONG = 200_000


def memory(*, at_first=80.0, growth=0.0):
    """The memory of a process that grows by so many MB for 100,000 requests."""
    return {"process 1": [(done, at_first + growth * done / 100_000) for done in range(0, LONG, 1_000)]}


@pytest.mark.parametrize(
    ("series", "requests", "begins"),
    [
        (memory(), LONG, "OK"),
        (memory(growth=soak.MAX_GROWTH - 0.1), LONG, "OK"),
        (memory(growth=soak.MAX_GROWTH + 0.1), LONG, "NOT"),
        (memory(growth=soak.MAX_GROWTH + 0.1), 2_000, "OK"),  # too few requests for a verdict on growth
        (memory(at_first=soak.MAX_MEGABYTES + 1), LONG, "NOT"),
    ],
)
def test_the_verdict(series, requests, begins):
    assert soak.verdict(series, requests)[0].startswith(begins)


class Every(BaseHTTPRequestHandler):
    """Answers 200, and 503 to what it is asked at /no."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(503 if self.path == "/no" else 200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"abc")

    def log_message(self, *args):
        pass


@pytest.fixture
def port():
    server = ThreadingHTTPServer((ports.LOCALHOST, 0), Every)
    Thread(target=server.serve_forever).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_every_request_is_sent_once_and_wrong_answers_are_kept(port):
    requests = [Request("GET", path).encoded(port, "") for path in ["/yes"] * 20 + ["/no"] * 2]
    found = burst(port, requests, 4, {200})
    assert (len(found.times), found.size) == (22, 3)
    assert found.wrong == [(503, b"abc")] * 2


def test_the_verdict_on_starts():
    lines = soak.starts([soak.MAX_BOOT_SECONDS, soak.MAX_BOOT_SECONDS + 0.1], soak.MAX_HELP_SECONDS + 0.1)
    assert [line.split()[0] for line in lines] == ["OK", "NOT", "NOT"]
