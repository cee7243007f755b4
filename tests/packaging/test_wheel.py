"""The wheel alone, in an empty environment, in an empty folder: it migrates, serves, mails, and shows its pages."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskmanager.embedded import ports
from tests.faults.stack import eventually
from tests.packaging.building import ROOT, Packages
from tests.packaging.service import assert_demonstrated, assert_documented, ready

pytestmark = pytest.mark.timeout(1800)


class Installed:
    """The environment with the wheel and nothing of the checkout."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin, self.place = folder / "venv" / "bin", folder / "empty"
        self.place.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        pinned = str(ROOT / "requirements" / "run.txt")
        for words in (["-r", pinned], [f"{wheel}[embedded]"]):
            self.run("pip", "install", "--quiet", "--disable-pip-version-check", *words)
        self.port = ports.bind(ports.LOCALHOST, 0)
        self.url = f"http://{ports.LOCALHOST}:{self.port}"

    def run(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command of the environment in the empty folder."""
        command = [str(self.bin / words[0]), *words[1:]]
        ran = subprocess.run(command, cwd=self.place, env=self.environment(), capture_output=True, text=True)
        assert ran.returncode == 0 or not check, ran.stdout + ran.stderr
        return ran

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the whole service with its embedded servers."""
        with (self.place.parent / "up.log").open("wb") as log:
            return subprocess.Popen(
                [str(self.bin / "taskmanager"), "up"],
                cwd=self.place,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKMANAGER_", "PYTHON"))}
        port = getattr(self, "port", 0)
        return kept | ({"TASKMANAGER_PORT": str(port), "TASKMANAGER_WEB_PROCESSES": "1"} if port else {})


@pytest.fixture(scope="module")
def installed(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), packages.wheel)


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Installed]:
    process = installed.start()
    log = installed.place.parent / "up.log"
    eventually(lambda: ready(installed.url) or process.poll() is not None, "readiness")
    assert process.poll() is None, log.read_text()
    eventually(lambda: "The service is ready" in log.read_text(), "the banner")
    yield installed
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def test_nothing_comes_from_the_checkout(installed):
    modules = "taskmanager, workers, migrations, config"
    code = f"import {modules}; print(*(module.__file__ for module in ({modules})), sep='\\n')"
    places = installed.run("python", "-c", code).stdout.splitlines()
    assert len(places) == 4
    assert all(Path(place).is_relative_to(installed.bin.parent) for place in places)


def test_its_dependencies_fit(installed):
    assert installed.run("pip", "check").returncode == 0


def test_without_a_service_a_command_says_so_in_one_sentence(installed):
    ran = installed.run("taskmanager", "migrate", check=False)
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
