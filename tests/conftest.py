"""What every test may ask for: the application over real servers, an empty database, people who are logged in.

One MongoDB and two Valkeys serve the whole run. Each test process has a database of its own in them, which
is migrated once and emptied before each test that uses it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from pymongo import WriteConcern, monitoring
from rq import Queue
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import add_log_level

from config.settings import Testing
from migrations import runner
from taskmanager.app import create_app
from taskmanager.core import clock
from taskmanager.core.configuration.settings import Settings, build
from taskmanager.core.events import outbox
from taskmanager.core.security import access
from taskmanager.core.servers.stores import cache_rest, cache_store, queue_store
from taskmanager.core.storage import database
from taskmanager.extensions import limiter
from taskmanager.features.notifications.channels import mailer
from taskmanager.features.users.models import User
from tests import certificates, documented
from tests.commands import COMMANDS, Commands
from tests.factories import UserFactory
from tests.factories.things import PASSWORD
from tests.mailbox import Mailbox
from tests.servers import Servers, of_worker

_servers: list[Servers] = []
_addresses: dict[str, Any] = {}


# An example may take as long as the machine likes, and the fixtures of a test serve all its examples.
hypothesis.settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
hypothesis.settings.load_profile("house")

# Exceptions that are logged as a few lines: drawing boxes with local variables takes half a second each.
structlog.configure(processors=[add_log_level, ConsoleRenderer(colors=False, exception_formatter=plain_traceback)])


def _start_servers() -> dict[str, Any]:
    """The addresses of the servers of this run, which are started when first asked for."""
    if not _servers:
        _servers.append(Servers())
        _addresses.update(_servers[0].start())
    return _addresses


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by xdist in the process that distributes the tests, for each process that runs them."""
    node.workerinput["addresses"] = _start_servers()


def pytest_unconfigure() -> None:
    """Stop what this process started."""
    for servers in _servers:
        servers.stop()
    _servers.clear()


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    mailbox.open()
    yield mailbox
    mailer.hang_up()
    mailbox.close()


@pytest.fixture(scope="session")
def settings(
    request: pytest.FixtureRequest, mail_server: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The settings of `app`. Limits are off: a test of them makes an application of its own."""
    given = getattr(request.config, "workerinput", {})
    addresses = given.get("addresses") or _start_servers()
    return build(
        Testing,
        **of_worker(addresses, given.get("workerid", "main")),
        data_dir=tmp_path_factory.mktemp("data"),
        mail_url=mail_server.url,
        mail_timeout_seconds=2,
        ratelimit_enabled=False,
        job_silence_seconds=2,
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    clock.follows_database = False  # tests travel by moving the clock of this process; real processes follow
    monitoring.register(COMMANDS)
    app = documented.watch(create_app(settings))
    runner.run(database.database())
    return app


@pytest.fixture
def other_app(app: Flask, settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Makes an application whose settings differ: `other_app(ratelimit_enabled=True)`; afterwards all is as before."""
    yield lambda **changes: documented.watch(create_app(settings.model_copy(update=changes)))
    create_app(settings)
    limiter.enabled = settings.ratelimit_enabled


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    """Begin each test that uses the application with nothing stored and nothing remembered."""
    if "app" not in request.fixturenames:
        return
    request.getfixturevalue("app")
    _empty_database()
    for store in (queue_store(), cache_store()):
        store.flushdb()
    access.forget()
    cache_rest.recovered()
    database.breaker.close()
    request.getfixturevalue("mail_server").empty()


@pytest.fixture(autouse=True)
def _documented() -> Iterator[None]:
    """Fail a test in which the API answers with a status that its document does not tell of."""
    yield
    found, documented.undocumented = documented.undocumented, set()
    assert not found


def _empty_database() -> None:
    """Delete documents and keep collections: dropping them would drop their indexes, and takes longer.

    One write is waited for until the majority has it, and with it all before: the snapshot of a transaction may be a
    little older than what a single member has acknowledged.
    """
    unsafe = WriteConcern(w=1, j=False)
    for name in _filled():
        database.database().get_collection(name, write_concern=unsafe).delete_many({})
    safe = database.database().get_collection(_EMPTIED, write_concern=WriteConcern(w="majority"))
    safe.update_one({"_id": 0}, {"$inc": {"times": 1}}, upsert=True)


_EMPTIED = "emptied"


def _filled() -> list[str]:
    """The collections that hold something, asked for by one command: most tests fill few of them."""
    names = [name for name in database.database().list_collection_names() if not name.startswith("system.")]
    one_of = {name: [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}] for name in names}
    each = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in one_of.items()]
    found = database.database()[_EMPTIED].aggregate([{"$match": {"_id": None}}, *each])
    return [one["name"] for one in found if one["name"] not in ("migrations", _EMPTIED)]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `certificates.make`."""
    return certificates.make(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
def commands(app: Flask) -> Commands:
    """Counts commands: `with commands.counted() as sent: …; assert sent == ["find"]`."""
    return COMMANDS


@pytest.fixture
def mail(app: Flask, mail_server: Mailbox) -> Mailbox:
    """What was mailed in this test."""
    return mail_server


@pytest.fixture
def deliver(app: Flask) -> Callable[[], int]:
    """Does what the relay and a worker do until nothing is due; answers how many jobs were done."""
    return _deliver


def _deliver() -> int:
    done = 0
    while outbox.relay_batch():
        queues = [outbox.queue(name) for name in outbox.QUEUES]
        while taken := Queue.dequeue_any(queues, None, connection=queue_store(), serializer=outbox.CallSerializer):
            taken[0].perform()
            done += 1
    return done


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who is not logged in."""
    return app.test_client()


@pytest.fixture
def caller(app: Flask) -> Callable[..., FlaskClient]:
    """Makes a client that is logged in: `caller()` as a new person, `caller(user)` as that one (`client.user`)."""
    return lambda user=None, **fields: sign_in(app, user or UserFactory(**fields))


def sign_in(app: Flask, user: User) -> FlaskClient:
    """A client of `app` that sends this person's access token."""
    client = app.test_client()
    answer = client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {answer.json['access_token']}"
    client.user = user  # type: ignore[attr-defined]
    return client


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return Path(__file__).parents[1]
