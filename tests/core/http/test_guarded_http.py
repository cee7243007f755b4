"""Nothing is sent into our own network, however its address is spelled, carried or swapped on the way."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from ipaddress import ip_address

import pytest

from taskmanager.core.http import guarded_http
from taskmanager.core.http.guarded_http import Refused, Rules, check, post

OPEN = Rules(plain=True)

INSIDE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://printer.local/",
    "http://metadata.google.internal/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://100.64.0.1/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://[::ffff:168.63.129.16]:32526/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[2606:4700::5efe:10.0.0.1]/",
    "http://[2606:4700::200:5efe:10.0.0.1]/",
]
SENSELESS = [
    "http:///x",
    "http://",
    "https://user:secret@8.8.8.8/",
    "https://8.8.8.8/#part",
    "ftp://8.8.8.8/",
    "file:///etc/passwd",
    "gopher://8.8.8.8/",
    "https://8.8.8.8:22/",
    "https://8.8.8.8:25/",
    "https://8.8.8.8:99999/",
    "https://8.8.8.8:x/",
    "https://8.8.8.8/a b",
    "https://8.8.8.8/a\r\nHost: x",
    "https://[::1",
    "//8.8.8.8/",
    "http://a..b/",
    "http://.example.com/",
    f"http://{'a' * 70}.example.com/",
    "",
]


@pytest.mark.parametrize("url", INSIDE + SENSELESS)
def test_it_is_refused_when_it_is_given_and_when_it_is_used(url):
    with pytest.raises(Refused):
        check(url, OPEN)
    with pytest.raises(Refused):
        post(url, b"", {}, seconds=1, rules=OPEN)


@pytest.mark.parametrize("url", ["https://8.8.8.8/", "https://8.8.8.8:8443/x?y=z", "https://[2606:4700::1111]/"])
def test_what_is_public_is_allowed(url):
    check(url, Rules())


def test_plain_http_needs_leave():
    with pytest.raises(Refused, match="https"):
        check("http://8.8.8.8/", Rules())
    check("http://8.8.8.8/", OPEN)
    with pytest.raises(Refused, match="https"):
        check("http://nowhere.invalid/", Rules())


def test_an_operator_allows_networks_and_names():
    rules = Rules.parse("10.0.0.0/8, ::1, hooks.internal", plain=False)
    for url in ("http://10.9.8.7/", "http://[::1]/", "http://hooks.internal/"):
        check(url, rules)
    for url in ("http://11.0.0.1/", "http://192.168.0.1/", "http://other.internal/"):
        with pytest.raises(Refused):
            check(url, rules)
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        Rules.parse("10.0.0.1/8", plain=False)


def answering(monkeypatch, *answers):
    """Let the name server say something else each time."""
    asked = iter(answers)

    def answer(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(asked)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("word", ["*.corp", "hooks.corp:8443", "a..b", "https:hooks.corp"])
def test_what_would_never_match_cannot_be_allowed(word):
    with pytest.raises(ValueError, match="neither a network"):
        Rules.parse(word, plain=False)


def test_a_dot_at_the_end_of_a_name_makes_no_difference(monkeypatch):
    answering(monkeypatch, ["10.0.0.1"], ["10.0.0.1"])
    for allowed, asked in (("hooks.corp.", "hooks.corp"), ("hooks.corp", "hooks.corp.")):
        check(f"https://{asked}/", Rules.parse(allowed, plain=False))


def test_one_bad_address_among_good_ones_is_enough(monkeypatch):
    answering(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Refused):
        check("https://example.com/", OPEN)


def test_a_name_that_is_swapped_after_the_check_is_not_followed(monkeypatch):
    """DNS rebinding: what is connected to is what was checked."""
    answering(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    connected = []

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(ConnectionRefusedError):
        post("http://example.com/", b"", {}, seconds=1, rules=OPEN)
    assert connected == [("8.8.8.8", 80)]


def test_where_the_first_address_does_not_answer_the_next_is_used(monkeypatch):
    answering(monkeypatch, ["8.8.8.8", "9.9.9.9"])
    connected = []
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: connected.append(address) or _fail())
    with pytest.raises(OSError):
        post("http://example.com/", b"", {}, seconds=1, rules=OPEN)
    assert connected == [("8.8.8.8", 80), ("9.9.9.9", 80)]


def test_the_name_is_looked_up_again_at_each_use(monkeypatch):
    answering(monkeypatch, ["8.8.8.8"], ["169.254.169.254"])
    check("https://example.com/", OPEN)
    with pytest.raises(Refused):
        post("https://example.com/", b"", {}, seconds=1, rules=OPEN)


def test_a_name_server_that_hangs_is_waited_for_two_seconds(monkeypatch):
    hangs = threading.Event()

    def hang(*_, **__):
        hangs.wait(120)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    check("https://example.com/", OPEN)  # not held against it: it is looked up again when it is used
    with pytest.raises(OSError, match="not found in time"):
        post("https://example.com/", b"", {}, seconds=10, rules=OPEN)
    hangs.set()
    assert time.monotonic() - began < 60


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    answering(monkeypatch, ["8.8.8.8"])
    connected = []
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: connected.append(address) or _fail())
    with pytest.raises(OSError):
        post("http://example.com/", b"", {}, seconds=1, rules=OPEN)
    assert connected == [("8.8.8.8", 80)]


def _fail():
    raise OSError("not in a test")


def test_addresses_carried_in_others_are_judged_by_what_they_carry():
    assert not guarded_http._public(ip_address("64:ff9b::a00:1"))
    assert guarded_http._public(ip_address("64:ff9b::808:808"))


@pytest.mark.parametrize("begins_after", [0.0, 0.9])
def test_a_receiver_that_drips_from_the_handshake_on_is_cut_off_in_time(certificate, monkeypatch, begins_after):
    """Also when its TLS handshake takes nearly all of the time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(guarded_http, "_context", lambda: ssl.create_default_context())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        plain, _ = server.accept()
        with suppress(OSError):
            time.sleep(begins_after)
            with context.wrap_socket(plain, server_side=True) as secure:
                for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
                    secure.send(bytes([byte]))
                    time.sleep(0.3)

    threading.Thread(target=serve, daemon=True).start()
    rules, began = Rules.parse("127.0.0.1", plain=False), time.monotonic()
    with server, pytest.raises(OSError):
        post(f"https://127.0.0.1:{server.getsockname()[1]}/", b"", {}, seconds=1, rules=rules)
    assert time.monotonic() - began < 60
