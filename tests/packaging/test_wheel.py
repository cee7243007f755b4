"""The wheel alone, in an empty environment, in an empty folder: it migrates, serves, mails, and shows its pages."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskmanager.embedded import mail_sink, mongod, ports, valkey
from tests.faults.stack import eventually
from tests.packaging.building import ROOT, Packages
from tests.packaging.service import SECONDS, assert_demonstrated, assert_documented, ready

pytestmark = pytest.mark.timeout(1800)
ROLES = ("web", "relay", "worker", "scheduler")


class Installed:
    """The environment with the wheel and nothing of the checkout; servers that the checkout runs."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin, self.place, self.data = folder / "venv" / "bin", folder / "empty", folder / "data"
        self.place.mkdir(parents=True)
        self.servers = {
            "MONGODB_URI": mongod.MongodServer(folder / "mongodb"),
            "QUEUE_URL": valkey.ValkeyServer(folder / "queue", role="queue"),
            "CACHE_URL": valkey.ValkeyServer(folder / "cache", role="cache"),
            "MAIL_URL": mail_sink.MailSink(folder / "sink", mails=self.data / "mail"),
        }
        self.port, self.secret = ports.choose(), secrets.token_urlsafe(48)
        self.url = f"http://{ports.LOCALHOST}:{self.port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        for words in (["-r", str(ROOT / "requirements" / "base.txt")], [str(wheel)]):
            self.run("pip", "install", "--quiet", "--disable-pip-version-check", *words, named=False)

    def run(self, *words: str, check: bool = True, named: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command of the environment in the empty folder, with the servers named unless told otherwise."""
        ran = subprocess.run(
            self._command(words), cwd=self.place, env=self.environment(named), capture_output=True, text=True
        )
        assert ran.returncode == 0 or not check, ran.stdout + ran.stderr
        return ran

    def start(self, role: str) -> None:
        """Start a process of the service."""
        with (self.place.parent / f"{role}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    self._command(("taskmanager", role)),
                    cwd=self.place,
                    env=self.environment(True),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def stop(self) -> None:
        """End the processes, then the servers."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait(90)
        for server in self.servers.values():
            server.stop()

    def assert_alive(self) -> None:
        """No process has ended."""
        logs = {path.name: path.read_text()[-4000:] for path in self.place.parent.glob("*.log")}
        assert [process.poll() for process in self._processes] == [None] * len(self._processes), logs

    def environment(self, named: bool) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKMANAGER_", "PYTHON"))}
        if not named:
            return kept | {"TASKMANAGER_DATA_DIR": str(self.data)}
        settings = {
            "ENVIRONMENT": "production",
            "SECRET_KEY": self.secret,
            "SIGNUP": "open",
            "KEYS_DIR": str(self.data / "keys"),
            "DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "WEB_PROCESSES": "1",
            **{name: server.uri for name, server in self.servers.items()},
        }
        return kept | {f"TASKMANAGER_{name}": value for name, value in settings.items()}

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [str(self.bin / words[0]), *words[1:]]


@pytest.fixture(scope="module")
def installed(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), packages.wheel)


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Installed]:
    try:
        for server in installed.servers.values():
            server.start(timeout=SECONDS)
        installed.run("taskmanager", "keys", "create")
        installed.run("taskmanager", "migrate")
        for role in ROLES:
            installed.start(role)
        eventually(lambda: ready(installed.url) or installed.assert_alive(), "readiness")
        yield installed
    finally:
        installed.stop()


def test_nothing_comes_from_the_checkout(installed):
    modules = "workers, migrations, config"
    code = f"from taskmanager import entry; entry.find_outer_ring(); import {modules}"
    code += f"; print(entry.__file__, *(module.__file__ for module in ({modules})), sep='\\n')"
    places = installed.run("python", "-c", code).stdout.splitlines()
    assert len(places) == 4
    assert all(Path(place).is_relative_to(installed.bin.parent) for place in places)


@pytest.mark.parametrize("name", ["workers", "migrations", "config", "wsgi"])
def test_no_general_name_is_left_in_the_environment_of_others(installed, name: str):
    ran = installed.run("python", "-c", f"import {name}", check=False, named=False)
    assert f"No module named '{name}'" in ran.stderr


def test_flask_and_wsgi_servers_find_the_application(running):
    assert "/api/v1/tasks" in running.run("flask", "--app", "taskmanager", "routes").stdout
    assert running.run("gunicorn", "--check-config", "taskmanager:create_app()").returncode == 0
    assert running.run("python", "-m", "taskmanager", "--version").stdout.startswith("taskmanager ")


def test_its_dependencies_fit(installed):
    assert installed.run("pip", "check").returncode == 0


def test_the_embedded_servers_are_not_there(installed):
    ran = installed.run("python", "-c", "import taskmanager.embedded", check=False)
    assert "No module named 'taskmanager.embedded'" in ran.stderr


@pytest.mark.parametrize("command", ["up", "stop"])
def test_a_command_for_development_says_so_in_one_sentence(installed, command: str):
    ran = installed.run("taskmanager", command, check=False)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "make run" in ran.stderr


def test_without_a_service_a_command_says_so_in_one_sentence(installed):
    ran = installed.run("taskmanager", "migrate", check=False, named=False)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)


def test_it_serves_its_pages(running):
    assert_documented(running.url)


def test_the_database_is_migrated_and_all_processes_are_well(running):
    assert "fits this release" in running.run("taskmanager", "migrate", "--check").stdout
    eventually(lambda: running.run("taskmanager", "healthcheck", check=False).returncode == 0, "health")


def test_the_demonstration_ends_with_a_mail(running):
    assert_demonstrated(running.run("taskmanager", "demo").stdout)


def test_typed_code_may_use_it(installed):
    code = "from importlib.resources import files; print((files('taskmanager') / 'py.typed').is_file())"
    assert installed.run("python", "-c", code).stdout.strip() == "True"
