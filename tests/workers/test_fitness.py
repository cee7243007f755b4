"""No process works on servers that are wrong, or on a database that is behind or ahead; each ends at SIGTERM."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from pymongo.errors import PyMongoError

from migrations import runner
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.servers import server_checks
from taskmanager.core.storage import database
from taskmanager.embedded import mongod, ports, valkey
from tests.faults.stack import eventually, freeze, thaw
from tests.workers.processes import ROLES, SECONDS, Process, can_be_first
from workers import fitness

pytestmark = pytest.mark.timeout(600)
AWAY = "127.0.0.1:1"
NEWER = "m9999_of_a_newer_release"


class Standalone(mongod.MongodServer):
    """A mongod that is in no replica set."""

    @property
    def command(self) -> list[str]:
        words = super().command
        place = words.index("--replSet")
        return words[:place] + words[place + 2 :]

    def answers(self) -> bool:
        with suppress(PyMongoError), self._connect() as client:
            return bool(client.admin.command("hello")["isWritablePrimary"])
        return False


class Uninitiated(mongod.MongodServer):
    """A mongod that waits for its replica set to be initiated."""

    def answers(self) -> bool:
        return self.initiated or not ports.is_free(self.port)

    initiated = False

    def initiate(self) -> None:
        eventually(super().answers, "the primary")


@pytest.fixture
def start(app: Any, settings: Settings) -> Iterator[Callable[..., Process]]:
    """Starts a process of a role: `start("relay", mongodb_uri=…)`."""
    started: list[Process] = []

    def start(role: str, **changes: Any) -> Process:
        started.append(Process(role, settings, **changes))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def empty(app: Any, settings: Settings) -> Iterator[str]:
    """The URI of a database that no migration has seen."""
    name = f"{database.database().name}_unmigrated"
    database.client().drop_database(name)
    yield settings.mongodb_uri.replace(f"/{database.database().name}?", f"/{name}?")
    database.client().drop_database(name)


@pytest.fixture
def migrated(empty: str) -> Any:
    """That database, as this release needs it, for a test that spoils it."""
    name = f"{database.database().name}_unmigrated"
    records = [{"_id": script} for script in runner.all_names()]
    database.client()[name].migrations.insert_many(records)
    return database.client()[name]


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    server = Standalone(tmp_path_factory.mktemp("standalone"))
    server.start(timeout=SECONDS)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkey.ValkeyServer]:
    """A store with users: `right` may do all, `narrow` may not run scripts, and some do not exist."""
    server = valkey.ValkeyServer(tmp_path_factory.mktemp("guarded"))
    server.start(timeout=SECONDS)
    with redis.Redis.from_url(server.uri) as client:
        client.execute_command("ACL", "SETUSER", "right", "on", ">right", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "narrow", "on", ">narrow", "~*", "&*", "+@all", "-@scripting")
        client.execute_command("ACL", "SETUSER", "deaf", "on", ">deaf", "~*", "resetchannels", "+@all")
        client.execute_command("ACL", "SETUSER", "default", "off")
    yield server
    server.stop()


@pytest.mark.parametrize("role", ROLES)
def test_none_starts_on_a_database_that_is_not_migrated(start, empty, role):
    process = start(role, mongodb_uri=empty)
    assert process.ended() != 0
    assert "run `taskmanager migrate`" in process.text
    assert "Traceback" not in process.text


def test_none_starts_on_a_database_of_a_newer_release(start, empty, migrated):
    migrated.migrations.insert_one({"_id": NEWER})
    process = start("worker", mongodb_uri=empty)
    assert process.ended() != 0
    assert NEWER in process.text and "newer release" in process.text


def test_a_newer_release_that_only_adds_is_tolerated_and_readiness_follows_the_database(start, empty, migrated):
    migrated.migrations.insert_one({"_id": NEWER, "expand": True})
    process = start("web", mongodb_uri=empty, mongodb_timeout_ms=20_000)
    eventually(lambda: readiness(process).get("status") == "ok", "readiness")
    migrated.migrations.delete_one({"_id": runner.all_names()[0]})
    behind = {"database": "ok", "migrations": "unavailable"}
    eventually(lambda: readiness(process).get("checks") == behind, "that it is behind")
    assert "taskmanager migrate" in problems(process)
    migrated.migrations.insert_many([{"_id": runner.all_names()[0]}, {"_id": "m9999_breaking"}])
    assert "newer release" in problems(process)
    migrated.migrations.delete_one({"_id": "m9999_breaking"})
    eventually(lambda: readiness(process).get("status") == "ok", "readiness again")
    assert readiness(process)["checks"] == {"database": "ok"}


def test_what_runs_ends_when_the_database_no_longer_fits_it(start, empty, migrated):
    started = {"relay": "started", "worker": "worker subscribed", "scheduler": "started"}
    roles = {role: start(role, mongodb_uri=empty) for role in started}
    for role, words in started.items():
        roles[role].wait_for(words)
    migrated.migrations.insert_one({"_id": NEWER})
    for role, process in roles.items():
        assert process.ended() == 1, role
        assert "error: The database " in process.text and "newer release" in process.text, role
        assert "Traceback" not in process.text, role


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The migrations are compared, as in the processes of the service."""
    monkeypatch.setattr(server_checks, "_migrations", runner.problem)


def test_what_runs_ends_too_when_the_database_falls_behind(empty, migrated, other_app, compared, capsys):
    other_app(mongodb_uri=empty)
    watch = fitness.Watch()
    database.database().migrations.delete_one({"_id": runner.all_names()[0]})
    watch.look()  # not yet: it looks now and then only
    watch._look_at = 0.0
    with pytest.raises(SystemExit, match="1"):
        watch.look()
    assert "run `taskmanager migrate`" in capsys.readouterr().err


def test_what_runs_goes_on_when_the_database_only_got_more_or_is_away(empty, migrated, other_app, compared):
    migrated.migrations.insert_one({"_id": NEWER, "expand": True})
    for uri in (empty, f"mongodb://{AWAY}/taskmanager?replicaSet=rs0"):
        other_app(mongodb_uri=uri)
        watch = fitness.Watch()
        watch._look_at = 0.0
        watch.look()


def problems(process: Process) -> str:
    return " ".join(readiness(process).get("problems", ()))


def readiness(process: Process) -> dict[str, Any]:
    try:
        answer = requests.get(f"http://127.0.0.1:{process.port}/health/ready", timeout=20)
    except requests.RequestException:
        return {}
    assert answer.status_code == (200 if answer.json()["status"] == "ok" else 503)
    return answer.json()


@pytest.mark.parametrize(("role", "named"), [("web", ""), ("relay", "?replicaSet=rs0")])
def test_none_starts_on_a_server_without_transactions(start, standalone, role, named):
    process = start(role, mongodb_uri=f"mongodb://{standalone.host}/taskmanager{named}")
    assert process.ended() != 0
    assert "standalone" in process.text and "--replSet" in process.text


def test_migrate_refuses_a_server_without_transactions(standalone, settings, command):
    ran = command("migrate", mongodb_uri=f"mongodb://{standalone.host}/taskmanager")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1), ran.stderr
    assert "standalone" in ran.stderr


@pytest.mark.parametrize("role", ["web", "scheduler"])
def test_a_wrong_password_of_the_database_is_said_at_start(start, settings, role):
    process = start(role, mongodb_uri=settings.mongodb_uri.replace("://", "://stranger:S3cretWord@"))
    assert process.ended() != 0
    assert "TASKMANAGER_MONGODB_URI" in process.text
    assert "S3cretWord" not in process.text and "Traceback" not in process.text


@pytest.mark.parametrize(("role", "store"), [("worker", "queue"), ("web", "cache"), ("rq", "queue")])
def test_a_wrong_password_of_a_store_is_said_at_start(start, guarded, role, store):
    process = start(role, **{f"{store}_url": f"redis://right:S3cretWord@127.0.0.1:{guarded.port}/5"})
    assert process.ended() != 0
    assert f"refuses the user or the password of TASKMANAGER_{store.upper()}_URL" in process.text
    assert "S3cretWord" not in process.text and "Traceback" not in process.text


def test_readiness_says_when_a_store_begins_to_refuse(start, guarded, settings):
    process = start("web", cache_url=f"redis://right:right@127.0.0.1:{guarded.port}/6")
    eventually(lambda: readiness(process).get("status") == "ok", "readiness")
    with redis.Redis.from_url(f"redis://right:right@127.0.0.1:{guarded.port}") as client:
        client.execute_command("ACL", "SETUSER", "right", "resetpass", ">another")
    try:
        eventually(lambda: "TASKMANAGER_CACHE_URL" in problems(process), "the refusal")
        assert readiness(process)["status"] == "unavailable"
    finally:
        with redis.Redis.from_url(f"redis://right:another@127.0.0.1:{guarded.port}") as client:
            client.execute_command("ACL", "SETUSER", "right", "resetpass", ">right")


def test_a_set_without_a_primary_is_waited_for(start, tmp_path):
    server = Uninitiated(tmp_path / "mongodb")
    server.start(timeout=SECONDS)
    try:
        web = start("web", mongodb_uri=server.uri)
        relay = start("relay", mongodb_uri=server.uri)
        relay.wait_for("rs.initiate()")
        eventually(lambda: readiness(web).get("checks", {}).get("database") == "unavailable", "an answer")
        server.initiate()
        assert relay.ended() != 0  # it has seen by now that no one has migrated it
        assert "taskmanager migrate" in relay.text
        eventually(lambda: "taskmanager migrate" in problems(web), "that it was not migrated")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("role", "away"),
    [("web", "mongodb_uri"), ("relay", "mongodb_uri"), ("worker", "mongodb_uri"), ("scheduler", "mongodb_uri"),
     ("relay", "queue_url"), ("worker", "queue_url")],
)  # fmt: skip
def test_sigterm_ends_each_as_first_process_while_a_server_is_away(start, role, away):
    """As in a container, where it is process 1: then a signal without a handler is ignored."""
    urls = {"mongodb_uri": f"mongodb://{AWAY}/taskmanager?replicaSet=rs0", "queue_url": f"redis://{AWAY}/0"}
    process = start(role, as_first=can_be_first(), **{away: urls[away]})
    waits = {"mongodb_uri": "waiting", "queue_url": "away"}[away]
    process.wait_for("Booting worker" if role == "web" else waits)
    assert process.terminate() in (0, 143)


def test_sigterm_ends_a_worker_that_waits_for_a_queue_that_hangs(start, settings, tmp_path: Path):
    server = valkey.ValkeyServer(tmp_path / "queue")
    server.start()
    try:
        process = start("worker", queue_url=server.uri)
        process.wait_for("worker subscribed")
        freeze(server)
        assert process.terminate() in (0, 143)
    finally:
        thaw(server)
        server.stop()
