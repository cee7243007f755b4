"""The image, built as the Dockerfile says: keys on a new volume, each role and its health check, the demonstration."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskmanager.embedded import mail_sink, mongod, ports, valkey
from tests.faults.stack import eventually
from tests.packaging import engine
from tests.packaging.building import ROOT
from tests.packaging.engine import BASE, IMAGE
from tests.packaging.service import SECONDS, assert_demonstrated, assert_documented, ready

pytestmark = pytest.mark.timeout(3600)
PARTS = ("web", "relay", "worker", "scheduler")


class Containers:
    """Containers of the image that use the network of this machine, and servers that run on it."""

    def __init__(self, command: str, folder: Path, volume: str) -> None:
        self.command, self.volume, self.mark = command, volume, secrets.token_hex(4)
        self.mails = folder / "mails"
        self.servers = [
            mongod.MongodServer(folder / "mongodb"),
            valkey.ValkeyServer(folder / "queue", role="queue"),
            valkey.ValkeyServer(folder / "cache", role="cache"),
            mail_sink.MailSink(folder / "sink", mails=self.mails),
        ]
        self.port, self.secret = ports.choose(), secrets.token_urlsafe(48)
        self.url = f"http://{ports.LOCALHOST}:{self.port}"
        self.started: list[str] = []

    def once(self, *words: str, check: bool = True, settings: bool = True, **changes: str) -> str:
        """Run one command in a container of its own; returns what it printed."""
        ran = engine.run(self.command, "run", "--rm", *self._options(settings, changes), IMAGE, *words, check=check)
        return ran.stdout + ran.stderr

    def start(self, role: str, **changes: str) -> str:
        """Start a role; returns the name of its container."""
        name = f"taskmanager-{role}-{len(self.started)}-{self.mark}"
        engine.run(self.command, "run", "--detach", "--name", name, *self._options(True, changes), IMAGE, role)
        self.started.append(name)
        return name

    def inspect(self, name: str, form: str) -> str:
        return engine.run(self.command, "inspect", "--format", form, name).stdout.strip()

    def logs(self, name: str) -> str:
        ran = engine.run(self.command, "logs", name)
        return ran.stdout + ran.stderr

    def health(self, name: str) -> str:
        return self.inspect(name, "{{.State.Health.Status}}")

    def stop(self) -> None:
        for name in self.started:
            engine.run(self.command, "rm", "--force", name, check=False)
        for server in self.servers:
            server.stop()

    def _options(self, settings: bool, changes: dict[str, str]) -> list[str]:
        mongodb, queue, cache, sink = (server.uri for server in self.servers)
        values = {
            "SECRET_KEY": self.secret,
            "SIGNUP": "open",
            "PORT": str(self.port),
            "HOST": ports.LOCALHOST,
            "MONGODB_URI": mongodb,
            "QUEUE_URL": queue,
            "CACHE_URL": cache,
            "MAIL_URL": sink,
            "WEB_PROCESSES": "1",
            **changes,
        }
        named = [word for name, value in values.items() for word in ("--env", f"TASKMANAGER_{name}={value}")]
        mounts = ["--volume", f"{self.volume}:/data", "--volume", f"{self.mails}:/data/mail:ro"]
        return ["--network", "host", *(named if settings else []), *(mounts if settings else mounts[:2])]


@pytest.fixture(scope="module")
def command() -> str:
    """The engine, with the image built."""
    found = engine.find()
    engine.require_base(found)
    options = os.environ.get("BUILD_OPTIONS", "").split()
    engine.run(found, "build", *options, "--build-arg", f"PYTHON_IMAGE={BASE}", "--tag", IMAGE, str(ROOT))
    return found


@pytest.fixture(scope="module")
def containers(command: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """With a new volume that has keys, and a database that is migrated."""
    folder = tmp_path_factory.mktemp("image")
    for volume in engine.volume(command, f"taskmanager-{secrets.token_hex(4)}"):
        containers = Containers(command, folder, volume)
        try:
            for server in containers.servers:
                server.start(timeout=SECONDS)
            yield containers
        finally:
            containers.stop()


@pytest.fixture(scope="module")
def running(containers: Containers) -> dict[str, str]:
    """All four roles, by their containers."""
    containers.once("keys", "create", settings=False)
    containers.once("migrate")
    return {role: containers.start(role) for role in PARTS}


def test_keys_are_made_on_a_new_volume_without_any_setting(containers):
    made = containers.once("keys", "create", settings=False).strip()
    assert made in containers.once("keys", "list", settings=False)


def test_it_does_not_run_as_root(containers):
    assert containers.inspect(IMAGE, "{{.Config.User}}") == "10001:10001"


def test_no_role_works_before_the_database_is_migrated(containers):
    uri = containers.servers[0].uri.replace("/taskmanager?", "/empty?")
    for role in PARTS:
        assert "run `taskmanager migrate`" in containers.once(role, check=False, MONGODB_URI=uri)


def test_each_role_becomes_healthy_by_a_check_of_its_own(containers, running: dict[str, str]):
    eventually(lambda: {containers.health(name) for name in running.values()} == {"healthy"}, "their health")


def test_its_pages_are_served(containers, running):
    eventually(lambda: ready(containers.url), "readiness")
    assert_documented(containers.url)


def test_the_demonstration_ends_with_a_mail(containers, running):
    assert_demonstrated(containers.once("demo"))


def test_a_worker_with_a_wrong_password_says_so_and_ends(containers, running):
    url = containers.servers[1].uri.replace("://", "://stranger:S3cretWord@")
    said = containers.once("worker", check=False, QUEUE_URL=url)
    assert "TASKMANAGER_QUEUE_URL" in said and "S3cretWord" not in said


def test_a_process_that_hangs_becomes_unhealthy(containers, running):
    """Frozen from within, as process 1 cannot be: its signs of life end."""
    name = containers.start("relay")
    eventually(lambda: containers.health(name) == "healthy", "health")
    os.kill(int(containers.inspect(name, "{{.State.Pid}}")), signal.SIGSTOP)
    eventually(lambda: containers.health(name) == "unhealthy", "illness")


def test_each_ends_at_once_when_it_is_stopped(containers, running: dict[str, str]):
    names = [*running.values(), containers.start("worker", MONGODB_URI="mongodb://127.0.0.1:1/none?replicaSet=rs0")]
    eventually(lambda: "waiting" in containers.logs(names[-1]), "the wait for a database")
    for name in names:
        engine.run(containers.command, "stop", "--time", "60", name)
        assert containers.inspect(name, "{{.State.ExitCode}}") in ("0", "143"), containers.logs(name)
