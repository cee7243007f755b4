"""`taskmanager up` from the outside: one command, real processes, nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from taskmanager.embedded import ports, processes
from tests import forked

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).resolve().parents[2]
READY = "The service is ready"
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Up:
    """One `taskmanager up` on its own data folder and port."""

    def __init__(self, folder, **variables):
        self.folder, self.port, self.variables = folder, ports.choose(), variables
        self.output = folder.parent / f"{folder.name}.out"
        self.process = None

    @property
    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKMANAGER_")}
        own = {"TASKMANAGER_DATA_DIR": str(self.folder), "TASKMANAGER_PORT": str(self.port)}
        return kept | own | {"TASKMANAGER_WEB_PROCESSES": "1", "TASKMANAGER_BCRYPT_COST": "4"} | self.variables

    def start(self, *, stdin=subprocess.DEVNULL):
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", "up"],
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=self.environment,
            )
        wait(lambda: READY in self.text or self.process.poll() is not None, 180)
        assert READY in self.text, self.text
        return self

    @property
    def text(self):
        return self.output.read_text()

    def run(self, *words, **variables):
        return forked.run(["-m", "workers.cli", *words], environment=self.environment | variables, timeout=300)

    def ready(self):
        try:
            with _http.open(f"http://127.0.0.1:{self.port}/health/ready", timeout=30) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self, sign=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sign)
            self.process.wait(60)


def wait(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def family(folder):
    """Processes that name the folder, in their command line or as the place where they work."""
    return [int(pid.name) for pid in Path("/proc").glob("[0-9]*") if processes.concerns(int(pid.name), folder)]


@pytest.fixture
def up(tmp_path):
    service = Up(tmp_path / "data")
    yield service
    service.end()


def test_one_command_runs_everything_comes_back_and_leaves_nothing_behind(up, tmp_path):
    """In one go, because each start is that of ten processes."""
    up.start(stdin=None)
    assert up.ready()
    note = up.folder / "admin.txt"
    password = re.search(r"password: (\S+)", note.read_text())[1]
    assert password in up.text
    assert note.stat().st_mode & 0o777 == 0o600

    assert "already runs on" in up.run("up").stderr
    other = Up(tmp_path / "other", TASKMANAGER_ADMIN_PASSWORD="Our-own-secret-1")
    try:
        assert other.start().ready() and up.ready()
        assert_never_printed(other, "Our-own-secret-1")
    finally:
        other.end(signal.SIGINT)
    assert other.process.returncode == 0
    assert family(other.folder) == []

    for pid_file in ("mongodb/mongod.lock", "queue/valkey.pid"):
        os.kill(int((up.folder / pid_file).read_text()), signal.SIGKILL)
    servers_and_supervisor = 5
    assert wait(lambda: len(family(up.folder)) == servers_and_supervisor and up.ready(), 120)

    up.end(signal.SIGKILL)  # no obstacle
    up.start()  # the same folder again: same data, so no new password
    assert up.ready()
    assert password not in up.text
    assert f"password in {note}" in up.text
    stopped = up.run("stop")
    assert stopped.stdout == "Stopped.\n"
    assert up.process.wait(60) == 0
    assert family(up.folder) == []
    assert up.run("stop").stdout.startswith("Nothing is running")


def assert_never_printed(up, password):
    """An operator knows the password that they have set: it is in no output, and in no file that is read."""
    written = [path for path in up.folder.rglob("*") if path.is_file() and path.parts[-2] in ("logs", "run")]
    assert not (up.folder / "admin.txt").exists()
    assert password not in up.text
    assert not any(password.encode() in path.read_bytes() for path in written)
    assert "mongodb_uri" in json.loads((up.folder / "run" / "addresses.json").read_text())


def test_a_process_that_boots_is_said_to_be_starting_when_the_operator_waits_no_longer(up):
    refused = up.run("up", TASKMANAGER_START_SECONDS="1")
    assert refused.returncode == 1
    assert "is still starting after 1 s" in refused.stderr and "TASKMANAGER_START_SECONDS" in refused.stderr
    assert "did not start" not in refused.stderr
    assert family(up.folder) == []


def test_a_taken_port_is_one_sentence(up):
    with socket.create_server((ports.LOCALHOST, up.port)):
        refused = up.run("up")
    assert refused.returncode == 1
    assert f"port {up.port}" in refused.stderr
    assert "TASKMANAGER_PORT" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
