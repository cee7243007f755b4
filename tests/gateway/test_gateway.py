"""What the gateway does with requests: forwards, refuses, retries, compresses; and what it keeps from the service."""

import json
import secrets
import socket
import ssl
import subprocess
from contextlib import ExitStack

import pytest
import requests

from taskmanager.embedded import ports
from tests.faults.stack import eventually
from tests.gateway import nginx, raw
from tests.gateway.nginx import Gateway
from tests.problems import MEMBERS

HOST = b"Host: tasks.example.com\r\n"


def logged(server, request_id):
    """Return the line that the web process has logged about a request."""
    lines = lambda: [line for line in server.log.read_text().splitlines() if request_id in line]  # noqa: E731
    eventually(lines, "the line of the log")
    return json.loads(lines()[0])


def test_what_a_client_says_of_its_address_does_not_count(apart):
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "X-Request-ID": (request_id := secrets.token_hex(8)),
        "traceparent": (trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    }
    answer = requests.get(f"{apart.url}/api/v1/tasks", headers=forged, timeout=60)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (401, request_id)
    line = logged(apart.servers["task"], request_id)
    assert (line["client.ip"], line["trace.id"]) == ("127.0.0.1", trace.split("-")[1])
    page = requests.get(f"{apart.url}/docs", headers=forged, timeout=60).text
    assert "evil" not in page


def test_a_request_id_that_the_service_would_not_keep_is_replaced(apart):
    answer = requests.get(f"{apart.url}/api/v1/tasks", headers={"X-Request-ID": "a b;c"}, timeout=60)
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] != "a b;c"


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "gateway.bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "gateway.bad_request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n", 400, "gateway.bad_request"),
        (b"TRACE /api/v1/tasks HTTP/1.1\r\n" + HOST + b"\r\n", 405, "http.method_not_allowed"),
        (b"POST /api/v1/tasks/bulk HTTP/1.1\r\n" + HOST + b"Content-Length: 1000001\r\n\r\n", 413, "gateway.too_large"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "gateway.uri_too_long"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 9000 + b"\r\n\r\n", 431, "gateway.header_too_large"),
    ],
)
def test_what_the_gateway_refuses_is_a_problem(apart, request_bytes, status, code):
    found, headers, body = raw.exchange(apart.gateway.port, request_bytes)
    assert (found, body["status"], body["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == body["request_id"]
    assert body.keys() >= MEMBERS and body["instance"].startswith("/")


def test_a_problem_names_the_path_and_stays_json(apart):
    """NGINX escapes nothing in its answers: what would end the text is left out."""
    for path, instance in ((b"/api/v1/tasks?a=b", "/api/v1/tasks"), (b'/a%22/b"c\\d', "/a%22/b"), (b"/\xff", "/")):
        status, _, body = raw.exchange(apart.gateway.port, b"TRACE " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (status, body["instance"]) == (405, instance), path


def test_a_file_may_be_larger_than_other_bodies(apart):
    path = "/api/v1/tasks/65f1c0ffee0123456789abcd/attachments"
    file = {"file": ("a.txt", b"a" * 8_000_000)}
    for headers in ({}, {"Idempotency-Key": secrets.token_hex(8)}) * 5:  # refused before the service has read it
        assert requests.post(apart.url + path, files=file, headers=headers, timeout=60).status_code == 401


def test_assets_are_compressed_kept_and_served_without_the_service(apart):
    page = requests.get(f"{apart.url}/docs", timeout=60).text
    script = next(part.split('"')[0] for part in page.split('src="')[1:] if "swagger-ui-bundle" in part)
    plain = requests.get(apart.url + script, headers={"Accept-Encoding": "identity"}, timeout=60)
    zipped = requests.get(apart.url + script, headers={"Accept-Encoding": "gzip"}, timeout=60)
    assert "immutable" in plain.headers["Cache-Control"]
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.raw.tell()) < len(plain.content) / 3 and zipped.content == plain.content
    if nginx.modules():
        answer = requests.get(apart.url + script, headers={"Accept-Encoding": "br"}, timeout=60)
        assert answer.headers["Content-Encoding"] == "br"
    before = sum(script in server.log.read_text() for server in apart.servers.values())
    assert requests.get(apart.url + script, timeout=60).ok
    assert sum(script in server.log.read_text() for server in apart.servers.values()) == before


@pytest.fixture
def breaking():
    server = raw.BreakingServer()
    yield server
    server.close()


@pytest.fixture
def gateway(apart, settings, tmp_path):
    """Return a function that starts another gateway before the same services, with other settings."""
    started = []

    def start(app=None, **changes):
        addresses = {f"{name}_servers": one.url.removeprefix("http://") for name, one in apart.servers.items()}
        made = Gateway(settings, tmp_path / f"nginx{len(started)}", app, **addresses | changes)
        made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.stop()


def test_only_what_is_safe_is_tried_at_another_process(apart, gateway, breaking, client):
    """A process that breaks off may have done its work: a POST is repeated only with an Idempotency-Key."""
    user = apart.servers["user"].url.removeprefix("http://")
    url = gateway(user_servers=f"{breaking.address},{user}").url + "/api/v1/auth/register"
    bodies = iter({"email": f"{one}@example.com", "password": "correct horse", "name": "A"} for one in range(9))
    plain = {requests.post(url, json=next(bodies), timeout=60).status_code for _ in range(2)}
    assert (plain, len(breaking.seen)) == ({201, 503}, 1)
    for _ in range(2):
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        assert requests.post(url, json=next(bodies), headers=headers, timeout=60).status_code == 201
    assert len(breaking.seen) == 2
    me = url.replace("auth/register", "users/me")
    assert {requests.get(me, timeout=60).status_code for _ in range(6)} == {401}


def test_an_address_that_leads_to_several_processes_is_tried_again(gateway):
    """As a Service of Kubernetes does: what has broken off is sent there again, and the address is never shunned."""
    balanced = raw.BalancedServers()
    try:
        lists = {f"{service}_servers": ",".join([balanced.address] * 3) for service in ("user", "task", "notification")}
        url = gateway(**lists).url
        for number, path in enumerate(("/api/v1/tasks", "/pages/projects", "/health/live"), 1):
            assert [requests.get(url + path, timeout=60).status_code for _ in range(6)] == [200] * 6
            assert balanced.broken_off == 6 * number
    finally:
        balanced.close()


def test_one_address_is_limited(gateway):
    url = gateway(requests_per_second=1, burst=3).url + "/health/live"
    found = [requests.get(url, timeout=60) for _ in range(12)]
    refused = [answer for answer in found if answer.status_code == 429]
    assert 3 <= len(refused) <= 9
    assert refused[0].json()["code"] == "gateway.too_many" and refused[0].headers["Retry-After"] == "1"


def test_slow_clients_harm_no_one_behind_the_gateway(apart, gateway):
    """Fifty of each kind, each from an address of its own, before processes with four threads."""
    port = gateway(connections=20).port
    slow = []
    try:
        for number in range(50):
            source = f"127.0.1.{number + 1}"
            slow += [raw.connect(port, source) for _ in range(3)]
            slow[-3].sendall(b"GET /api/v1/tasks HTTP/1.1\r\nHost")
            slow[-2].sendall(b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST + b"Content-Length: 900\r\n\r\n{")
            slow[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow[-1].sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\n" + HOST + b"\r\n")
        for path in ("/api/v1/tasks", "/api/v1/users/me", "/api/v1/notifications"):
            for _ in range(5):
                answer = requests.get(f"http://{ports.LOCALHOST}:{port}{path}", timeout=20)
                assert answer.status_code == 401
    finally:
        for sock in slow:
            sock.close()


def test_connections_of_one_address_are_limited(gateway):
    port = gateway(connections=5).port

    def limited():
        """Open slow connections, anew for each try: NGINX ends one that sends nothing for ten seconds."""
        with ExitStack() as slow:
            for _ in range(8):  # a connection counts from the end of its headers
                sock = slow.enter_context(raw.connect(port))
                sock.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST + b"Content-Length: 9000\r\n\r\n{")
            return requests.get(f"http://{ports.LOCALHOST}:{port}/health/live", timeout=20).status_code == 429

    eventually(limited)


def test_a_stream_is_passed_on_event_by_event(apart, gateway, app):
    from taskmanager.api import service_guard
    from taskmanager.app import routing_app
    from taskmanager.core.configuration import settings as current
    from taskmanager.feature import Feature

    routed = routing_app(current.current())
    routed.add_url_rule("/api/v1/live", "live.stream", lambda: "")
    service_guard.assign(routed, Feature("live", service="stream"), ["live"])
    server = raw.StreamingServer()
    url = gateway(routed, stream_servers=server.address).url + "/api/v1/live"
    try:
        with requests.get(url, stream=True, timeout=30) as answer:
            lines = answer.iter_lines()
            assert next(lines) == b"data: first"
            server.more.set()
            assert b"data: second" in list(lines)
    finally:
        server.close()


def test_tls_with_http_2(gateway, certificate):
    made = gateway(tls_certificate=certificate, tls_key=certificate)
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(socket.create_connection((ports.LOCALHOST, made.port), timeout=30)) as sock:
        assert sock.selected_alpn_protocol() == "h2"
        assert sock.version() in ("TLSv1.2", "TLSv1.3")
    answer = requests.get(f"https://{ports.LOCALHOST}:{made.port}/health/live", verify=str(certificate), timeout=60)
    assert answer.ok and "max-age" in answer.headers["Strict-Transport-Security"]
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in made.config.read_text()
    status, _, body = raw.exchange(made.port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (status, body["code"]) == (400, "gateway.bad_request")


def test_nginx_writes_no_warning(apart):
    checked = subprocess.run(
        [*apart.gateway._command(), "-t", "-g", nginx.user()], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0 and "warn" not in checked.stderr, checked.stderr
