"""Fixtures: the application with real servers, an empty database, users who are logged in.

One MongoDB and two Valkeys serve a whole run. Each test process has a database of its own in them, which is migrated
once and emptied before each test that uses it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pymongo import monitoring
from rq import Queue

from config.settings import Testing
from migrations import runner
from taskmanager.app import create_app, prepare
from taskmanager.core import clock
from taskmanager.core.configuration.settings import Settings, build
from taskmanager.core.events import outbox
from taskmanager.core.events.log import QUEUES
from taskmanager.core.events.rq_jobs import SafeJob
from taskmanager.core.servers import service_state
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage import database
from taskmanager.extensions import limiter
from taskmanager.features.notifications.channels import mailer
from taskmanager.features.projects.models import Project
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.contributions import Contributions
from taskmanager.testing.emptying import empty_all
from taskmanager.testing.factories import ProjectFactory, UserFactory
from taskmanager.testing.indexes import INDEXES
from taskmanager.testing.mailbox import Mailbox
from taskmanager.testing.servers import Servers, of_worker

# A busy machine is no fault: neither is a server away that needs seconds, nor is that a line of the log.
PATIENCE: dict[str, Any] = {
    "mongodb_timeout_ms": 20_000,
    "redis_timeout_ms": 5_000,
    "mail_timeout_seconds": 20,
    "slow_request_ms": 600_000,
    "slow_query_ms": 600_000,
}

_servers: list[Servers] = []
_addresses: dict[str, Any] = {}


def _start_servers() -> dict[str, Any]:
    """Return the addresses of the servers of this run; the first call starts them."""
    if not _servers:
        _servers.append(Servers())
        _addresses.update(_servers[0].start())
    return _addresses


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the addresses of the servers to a worker process of xdist, which calls this in the controller."""
    node.workerinput["addresses"] = _start_servers()


def pytest_unconfigure() -> None:
    """Stop the servers that this process has started."""
    for servers in _servers:
        servers.stop()
    _servers.clear()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Mailbox]:
    """Yield an SMTP server for the whole run; within a test it is the fixture `mail`."""
    mailbox = Mailbox()
    mailbox.open()
    yield mailbox
    mailer.close_connections()
    mailbox.close()


@pytest.fixture(scope="session")
def settings(
    request: pytest.FixtureRequest, mail_server: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Return the settings of `app`. Rate limits are off: a test of them makes an application of its own."""
    given = getattr(request.config, "workerinput", {})
    addresses = given.get("addresses") or _start_servers()
    return build(
        Testing,
        **of_worker(addresses, given.get("workerid", "main")),
        data_dir=tmp_path_factory.mktemp("data"),
        mail_url=mail_server.url,
        **PATIENCE,
        ratelimit_enabled=False,
        job_silence_seconds=2,
    )


@pytest.fixture(scope="session")
def prepare_app() -> Callable[[Flask], Flask]:
    """Return a function that is called with each new application; a conftest may replace it to observe responses."""
    return lambda app: app


@pytest.fixture(scope="session")
def app(settings: Settings, prepare_app: Callable[[Flask], Flask]) -> Flask:
    """Return the application, with all installed plugins and all migrations."""
    clock.follows_database = False  # tests travel in time by moving the clock of this process
    service_state.follows_database = False
    monitoring.register(INDEXES)
    app = prepare_app(create_app(settings))
    runner.run(database.database())
    INDEXES.remember(database.database())
    return app


@pytest.fixture
def other_app(app: Flask, settings: Settings, prepare_app: Callable[[Flask], Flask]) -> Iterator[Callable[..., Flask]]:
    """Yield a function that returns an application with other settings: `other_app(ratelimit_enabled=True)`.

    After the test the settings are those of `app` again.
    """
    yield lambda **changes: prepare_app(create_app(settings.model_copy(update=changes)))
    prepare(settings)
    limiter.enabled = settings.ratelimit_enabled


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    """Delete all stored and cached data before each test that uses the application."""
    if "app" not in request.fixturenames:
        return
    request.getfixturevalue("app")
    empty_all()
    request.getfixturevalue("mail_server").empty()


@pytest.fixture
def contribute(app: Flask) -> Iterator[Contributions]:
    """Yield a `Contributions`, which is undone after the test."""
    contributions = Contributions()
    yield contributions
    contributions.undo()


@pytest.fixture
def mail(app: Flask, mail_server: Mailbox) -> Mailbox:
    """Return the mailbox with the mails of this test."""
    return mail_server


@pytest.fixture
def deliver(app: Flask) -> Callable[[], int]:
    """Return a function that does the work of relay and worker until nothing is due, and returns the number of jobs."""
    return _deliver


def _deliver() -> int:
    done, kinds = 0, dict[str, Any](serializer=outbox.CallSerializer, job_class=SafeJob)
    while outbox.relay_batch():
        queues = [outbox.queue(name) for name in QUEUES]
        while taken := Queue.dequeue_any(queues, None, connection=queue_store(), **kinds):
            taken[0].perform()
            done += 1
    return done


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client that is not logged in."""
    return app.test_client()


@pytest.fixture
def caller(app: Flask) -> Callable[..., FlaskClient]:
    """Return a function that logs a client in: `caller()` as a new user, `caller(user)` as this one (`client.user`)."""
    return lambda user=None, **fields: sign_in(app, user or UserFactory.create(**fields))


@pytest.fixture
def user(app: Flask) -> User:
    """Return a user with a verified address."""
    made: User = UserFactory.create()
    return made


@pytest.fixture
def project(user: User) -> Project:
    """Return a project that `user` owns."""
    made: Project = ProjectFactory.create(owner=user)
    return made
