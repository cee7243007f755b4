"""Sends what a test sends to its application through the gateway, to the services apart (`make services-test`).

A test that has changed its own process (settings, features, the clock …) when it sends a request is skipped: the
processes behind the gateway know nothing of it. So is one that watches what its own process does.
"""

import http.client
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import time_machine
from werkzeug.datastructures import EnvironHeaders

from taskmanager.core.configuration.settings import Settings
from taskmanager.embedded import ports
from tests import leftovers
from tests.commands import COMMANDS
from tests.gateway.apart import PROXY

# The services apart run with these: deliveries, which a test makes itself, may go to its own receiver.
SETTINGS: dict[str, Any] = {"webhook_allow": "127.0.0.1"}
# What a fixture changes for deliveries, and web processes do not read.
_OF_DELIVERIES = {"webhook_allow", "webhook_timeout_seconds"}
# Fixtures that replace or read what the process of a test does; `own_process` is for what has no other of them.
_WATCHING = {"caplog", "monkeypatch", "other_app", "own_process"}
_PATIENCE_SECONDS = 60
_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")
_FIRST_BYTES = 65536


@pytest.fixture
def own_process() -> None:
    """Named by what works with the state of its own process: it is skipped where another process answers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that watch their own process, where others answer."""
    if not os.environ.get("SERVICES_APART"):
        return
    for item in items:
        if watching := _WATCHING & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=f"it watches its own process: {', '.join(sorted(watching))}"))


@pytest.fixture(scope="session", autouse=True)
def through_the_gateway(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the clients of `app` use services apart, with SERVICES_APART (`make services-test`)."""
    if not os.environ.get("SERVICES_APART"):
        yield
        return
    app = request.getfixturevalue("app")
    app.wsgi_app, before = Through(request.getfixturevalue("server").url), app.wsgi_app
    yield
    app.wsgi_app = before


class Through:
    """A WSGI application in place of the tested one: clients of tests need no change."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._before = _state()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if reason := self._reason():
            pytest.skip(reason)
        headers = {name: value for name, value in EnvironHeaders(environ) if name.lower() not in _HOP}
        body = environ["wsgi.input"].read()
        source = None
        if environ.get("REMOTE_ADDR", ports.LOCALHOST) != ports.LOCALHOST:
            headers, source = headers | {"X-Forwarded-For": environ["REMOTE_ADDR"]}, (PROXY, 0)
        connection = http.client.HTTPConnection(self._address, timeout=_PATIENCE_SECONDS, source_address=source)
        try:
            connection.request(environ["REQUEST_METHOD"], _target(environ), body, headers)
            answer = connection.getresponse()
            content = _content(answer)
        finally:
            connection.close()
        given = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        length = answer.getheader("Content-Length") or str(len(content))
        start_response(f"{answer.status} {answer.reason}", [*given, ("Content-Length", length)])
        return [content]

    def _reason(self) -> str:
        """Return why no other process can answer this test, or an empty text."""
        from tests.web.counting import commands  # which watches the commands of all clients from then on

        if time_machine.traveller_stack:
            return "it changes its own process: the time"
        if COMMANDS.are_counted or commands.are_counted:
            return "it counts the commands of its own process"
        now = _state()
        changed = ", ".join(name for name in self._before if now[name] != self._before[name])
        return changed and f"it changes its own process: {changed}"


def _state() -> dict[str, Any]:
    state = leftovers.state()
    effective = state["the settings"]
    assert isinstance(effective, Settings)
    return state | {"the settings": effective.model_dump(exclude=_OF_DELIVERIES)}


def _content(answer: http.client.HTTPResponse) -> bytes:
    """Return the body; of a stream, which does not end, the first part."""
    if answer.headers.get_content_type() == "text/event-stream":
        return answer.read1(_FIRST_BYTES)
    return answer.read()


def _target(environ: dict[str, Any]) -> str:
    """Return path and query as a client sends them."""
    path = quote(environ["REQUEST_URI"].partition("?")[0].encode("latin-1"), safe="/%:@!$&'()*+,;=~")
    query = quote(environ["QUERY_STRING"].encode("latin-1"), safe="%=&/?:@!$'()*+,;~")
    return f"{path}?{query}" if query else path
