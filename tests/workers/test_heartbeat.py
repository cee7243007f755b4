"""Signs of life: of this service only, of living processes only, and old ones are no signs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.telemetry import process_identity
from tests import forked
from tests.faults.stack import eventually
from tests.web_server import WebServer
from tests.workers.processes import can_be_first
from workers import heartbeat, telemetry
from workers.heartbeat import Heartbeat, unhealthy


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a service of its own."""
    monkeypatch.setenv("TASKMANAGER_DATA_DIR", str(tmp_path))
    return heartbeat.folder()


def age(path: Path, seconds: float) -> None:
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


def test_a_process_that_goes_on_is_well_and_one_that_does_not_is_not(folder):
    sign = Heartbeat("relay")
    assert unhealthy("relay") == unhealthy(None) == []
    age(folder / f"relay-{process_identity.own()}", 31)
    assert re.search(r"last heartbeat [3-9]\d s ago", unhealthy("relay")[0])
    sign.beat()
    assert unhealthy("relay") == []
    sign.end()
    assert unhealthy("relay") == ["No relay runs here."]


def test_a_clock_that_is_set_makes_no_process_unwell(folder):
    Heartbeat("relay")
    with time_machine.travel(timedelta(days=1)):
        assert unhealthy("relay") == []


@pytest.mark.parametrize(("role", "seconds"), heartbeat.SILENCE_SECONDS.items())
def test_each_role_may_be_silent_for_a_while(folder, role, seconds):
    Heartbeat(role)
    age(folder / f"{role}-{process_identity.own()}", seconds - 5)
    assert unhealthy(role) == []
    age(folder / f"{role}-{process_identity.own()}", 10)
    assert len(unhealthy(role)) == 1


def test_another_service_and_a_dead_process_do_not_count(folder, tmp_path, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (folder / f"worker-{ended.pid}").touch()
    (folder / f"worker-{os.getpid()}.1").touch()  # this process has the id of one that has ended
    assert unhealthy("worker") == ["No worker runs here."]
    assert list(folder.iterdir()) == []
    Heartbeat("worker")
    monkeypatch.setenv("TASKMANAGER_DATA_DIR", str(tmp_path / "another"))
    assert unhealthy("worker") == ["No worker runs here."]


IN_A_CONTAINER = """
from workers import heartbeat, telemetry
from taskmanager.core.telemetry import metric_files
print(heartbeat.unhealthy(None))
heartbeat.Heartbeat("relay")
print(heartbeat.unhealthy(None))
metric_files.share(heartbeat.folder(telemetry.PURPOSE))
"""


@pytest.fixture
def container() -> Callable[[str], "subprocess.Popen[str]"]:
    """Runs Python code with process ids of its own, as in a container: `container(code)`."""
    if not can_be_first():  # an operating system may keep that for root, and nothing else is like it
        pytest.skip("no namespaces of process ids can be made here")
    command, pipe = [*forked.AS_FIRST, sys.executable, "-c"], subprocess.PIPE
    return lambda code: subprocess.Popen([*command, code], stdin=pipe, stdout=pipe, text=True)


def test_containers_that_share_the_memory_do_not_take_each_other_for_dead(folder, container):
    """Those of a pod have one `/dev/shm`, and each its own process ids."""
    Heartbeat("worker")
    counted = heartbeat.folder(telemetry.PURPOSE) / f"counter_{process_identity.own()}.db"
    counted.touch()
    with container(IN_A_CONTAINER) as other:
        assert other.stdout.read().splitlines() == ["['No process of the service runs here.']", "[]"]
    assert other.returncode == 0
    assert unhealthy(None) == []
    assert unhealthy("relay") == ["No relay runs here."]
    assert counted.exists()


HELD = "import sys; from workers import heartbeat; print(heartbeat.own_folder(), flush=True); sys.stdin.read()"


def test_the_folder_of_a_container_goes_when_it_has_ended_and_not_before(folder, container):
    """A pod whose container is restarted again and again keeps its `/dev/shm`."""
    with container(HELD) as first:
        held = Path(first.stdout.readline().strip())
        assert held != folder
        age(held, 3600)
        with container(HELD) as second:
            own = Path(second.stdout.readline().strip())
            assert held.exists() and own not in (held, folder)
            second.communicate("")
        first.communicate("")
    age(own, 3600)
    with container(HELD) as third:
        last = Path(third.communicate("")[0].strip())  # the number of a namespace that has ended may be given again
    assert not any(path.exists() for path in {held, own} - {last})
    assert last.exists() and folder.exists()
    shutil.rmtree(last)


def test_a_web_server_is_asked(app: Flask, server: WebServer, settings: Settings, monkeypatch):
    monkeypatch.setenv("TASKMANAGER_DATA_DIR", str(settings.data_dir))
    eventually(lambda: unhealthy("web") == [], "an answer within two seconds")
    sign = Heartbeat("web", "http://127.0.0.1:1/health/live")
    assert f"(process {os.getpid()}) does not respond" in str(unhealthy("web"))
    sign.end()
