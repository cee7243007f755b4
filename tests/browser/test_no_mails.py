"""An operator who only knows that mails do not arrive finds the cause on the first screen of /ops.

Mail is broken for real, in a service of its own with all its processes.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult
from rq import Worker
from rq.utils import utcformat

from taskmanager.core.servers.stores import queue_store
from taskmanager.embedded import ports
from taskmanager.testing.factories import UserFactory
from tests.browser.test_pages import log_in
from tests.faults.conftest import logged_in, running
from tests.faults.stack import Stack, eventually

_HEIGHT = 900
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),  # of a server on this machine
]


@contextmanager
def smtp_server(port: int, *, password: bytes) -> Iterator[None]:
    """A mail server that takes nothing without a login."""

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == password, handled=False)

    options = {"auth_required": True, "auth_require_tls": False, "authenticator": check}
    server = Controller(Sink(), hostname=ports.LOCALHOST, port=port, **options)
    server.start()
    try:
        yield
    finally:
        server.stop()


@pytest.fixture(scope="module")
def mail_port() -> int:
    return ports.choose()


@pytest.fixture(scope="module")
def service(settings: Any, mail_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    url = f"smtp://service:correct@{ports.LOCALHOST}:{mail_port}"
    with running(tmp_path_factory.mktemp("no-mails"), settings, mail_url=url) as stack:
        logged_in(stack, "relay", "worker", "scheduler")
        yield stack


@pytest.fixture
def operator(service: Stack, browser: Any) -> Iterator[Any]:
    """The page of an administrator of that service, as large as a usual screen."""
    context = browser.new_context(base_url=service.url, viewport={"width": 1280, "height": _HEIGHT})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto("/ops")
    log_in(page, UserFactory(role="admin").email)
    page.wait_for_url("**/ops")
    yield page
    context.close()


@contextmanager
def broken(service: Stack, port: int, fault: str) -> Iterator[None]:
    """Break mail, and mend it."""
    with ExitStack() as stack:
        if fault != "server away":
            stack.enter_context(smtp_server(port, password=b"other" if fault == "wrong password" else b"correct"))
        if fault == "no worker":
            service.kill("worker")
            _age_workers()
            stack.callback(service.start, "worker")
        yield


def _age_workers() -> None:
    """Let two minutes pass since the heartbeat of the worker that was killed: that is when it counts as gone."""
    store = queue_store()
    for worker in Worker.all(connection=store):
        store.hset(worker.key, "last_heartbeat", utcformat(datetime.now(UTC) - timedelta(minutes=2)))


@pytest.mark.parametrize(
    ("fault", "sentences"),
    [
        ("no worker", ["No worker serves this queue", "Start `taskmanager worker`"]),
        (
            "server away",
            ["The mail server does not respond", "The mail server of TASKMANAGER_MAIL_URL does not respond"],
        ),
        ("wrong password", ["The mail server refuses the login"]),
    ],
)
def test_the_first_screen_names_the_cause_in_plain_words(service, operator, mail_port, tmp_path, fault, sentences):
    with broken(service, mail_port, fault):
        body = {"email": f"{fault.replace(' ', '-')}@example.com", "name": "N", "password": "correct horse battery"}
        assert requests.post(f"{service.url}/api/v1/auth/register", json=body, timeout=60).status_code == 201

        def found() -> bool:
            operator.goto("/ops")
            if all(is_on_first_screen(operator, sentence) for sentence in sentences):
                return True
            operator.wait_for_timeout(1000)  # a look takes the browser a third of a second of CPU
            return False

        try:
            eventually(found, "the cause on the first screen", 90)
        finally:
            operator.screenshot(path=Path(tmp_path) / f"{fault}.png")


def is_on_first_screen(page: Any, sentence: str) -> bool:
    places = [one.bounding_box() for one in page.get_by_text(sentence).all()]
    return any(place and place["y"] + place["height"] < _HEIGHT for place in places)
