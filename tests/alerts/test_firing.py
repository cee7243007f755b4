"""A real Prometheus sees each alert fire when its real thing is broken, and end when it is mended.

The suite has those that cost little; `make alerts` has all, on a service of its own, in some minutes.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag, Thread, Timer
from typing import Any

import pytest
import requests
import yaml
from bson import ObjectId
from rq.worker import SimpleWorker

from taskmanager.core.clock import now
from taskmanager.core.events import outbox
from taskmanager.core.events.log import QUEUES, Event
from taskmanager.core.events.schedule import Due
from taskmanager.core.servers.backups import BackupRecord, note
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage.lease import Lease
from tests.alerts.quick import FOLDER, Alerts, prometheus
from tests.alerts.small_disk import small_disk
from tests.faults.conftest import logged_in, running
from tests.faults.replica_set import ReplicaSet
from tests.faults.stack import eventually, freeze, kill, thaw

TOKEN = "the token of Prometheus, for tests"
EXECUTABLE = shutil.which("prometheus")
OF_OWN_SERVICES = {"TaskManagerDown", "TaskManagerReplicationLag", "TaskManagerDiskFull"}

pytestmark = pytest.mark.skipif(not EXECUTABLE, reason="prometheus is not installed (Debian: prometheus)")
whole = pytest.mark.skipif(not os.environ.get("ALERTS_TEST"), reason="`make alerts` runs it: it takes some minutes")


def test_what_is_missing_or_old_raises_alerts_that_end(app, server, caller, tmp_path):
    token = caller(role="admin").environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    given_up = Event(kind="test.happened", stream="test", seq=1, at=now(), pending=["none"], died_at=now()).save()
    BackupRecord._get_collection().insert_one({"_id": "last", "at": now() - timedelta(hours=30), "bytes": 1})
    missing = {"TaskManagerNoWorker", "TaskManagerLeaseFree"}
    with prometheus(str(EXECUTABLE), tmp_path, server.port, token) as alerts:
        alerts.wait_for(*missing, "TaskManagerEventsGivenUp", "TaskManagerBackupOld")
        Event.objects(id=given_up.id).delete()
        note(1)
        with present():
            alerts.wait_for_end(*missing, "TaskManagerEventsGivenUp", "TaskManagerBackupOld")


@contextmanager
def present() -> Iterator[None]:
    """Have a worker of each queue, a relay and a scheduler, as far as health knows."""
    worker = SimpleWorker([outbox.queue(name) for name in QUEUES], connection=queue_store())
    worker.register_birth()
    for name in ("relay", "schedule"):
        lease = Lease(name, 600)
        assert lease.hold()
    try:
        yield
    finally:
        worker.register_death()


def test_no_alert_is_left_out():
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    known = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    broken = {name for names in BROKEN.values() for name in names}
    assert broken | OF_OWN_SERVICES == known


@pytest.fixture
def report(capsys) -> Callable[..., None]:
    """Prints what was broken, and after how many seconds the alerts fired, and ended."""

    def say(fault: str, fired: float, ended: float, *names: str) -> None:
        with capsys.disabled():
            print(f"\n{fault:18} fired {fired:4.0f} s  ended {ended:4.0f} s  {' '.join(names)}")

    return say


@whole
def test_a_member_that_is_away_and_a_service_that_is_gone(settings, tmp_path, report):
    members = ReplicaSet(tmp_path / "members")
    with ExitStack() as context:
        stack = context.enter_context(running(tmp_path / "stack", settings, members, metrics_token=TOKEN))
        logged_in(stack)
        alerts = context.enter_context(prometheus(str(EXECUTABLE), tmp_path / "p", stack.settings.port, TOKEN))
        away = next(member for member in members.members if not member.is_primary)
        kill(away)
        fired = alerts.wait_for("TaskManagerReplicationLag", seconds=150)
        away.start(timeout=60)
        report("killed_member", fired, alerts.wait_for_end("TaskManagerReplicationLag"), "TaskManagerReplicationLag")
        stack.kill("web")
        fired = alerts.wait_for("TaskManagerDown", seconds=150)
        stack.start("web")
        report("killed_web", fired, alerts.wait_for_end("TaskManagerDown"), "TaskManagerDown")


@whole
def test_a_disk_that_fills_up(settings, tmp_path, report):
    """A disk of its own has the data folder and the database; it is filled for real, and emptied."""
    with ExitStack() as context:
        disk = context.enter_context(small_disk(tmp_path))
        stack = context.enter_context(running(disk.folder / "stack", settings, metrics_token=TOKEN))
        logged_in(stack)
        alerts = context.enter_context(prometheus(str(EXECUTABLE), tmp_path / "p", stack.settings.port, TOKEN))
        disk.fill(96)
        fired = alerts.wait_for("TaskManagerDiskFull")
        eventually(lambda: alerts.values("TaskManagerDiskFull", "check") == {"data:disk", "database:disk"})
        disk.empty()
        report("full_disk", fired, alerts.wait_for_end("TaskManagerDiskFull"), "TaskManagerDiskFull")


class Service:
    """A running service with its alerts, and what a user does to it."""

    def __init__(self, stack: Any, client: Any, alerts: Alerts) -> None:
        self.stack, self.client, self.alerts = stack, client, alerts
        self.project = client.send("POST", "/api/v1/projects", {"name": "P", "key": "P"}).body["id"]

    def ask(self, number: int = 5) -> None:
        """Send some requests that read the database, whatever they get."""
        for _ in range(number):
            self.client.send("GET", f"/api/v1/projects/{self.project}")

    def write(self) -> None:
        self.client.send("POST", f"/api/v1/projects/{self.project}/tasks", {"title": "T"})

    def until(self, *names: str, act: Callable[[], None], ends: bool = False, seconds: float = 150) -> float:
        """Do something again and again until the alerts fire, or none of them does; return the seconds it took."""
        started = time.monotonic()
        while bool(set(names) & self.alerts.firing()) if ends else not set(names) <= self.alerts.firing():
            assert time.monotonic() - started < seconds, (names, ends, self.alerts.firing())
            act()
            time.sleep(0.2)
        return time.monotonic() - started


@pytest.fixture(scope="module")
def service(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the rest of the module; each test leaves it whole."""
    folder = tmp_path_factory.mktemp("alerts")
    with ExitStack() as context:
        stack = context.enter_context(running(folder / "stack", settings, metrics_token=TOKEN))
        client = logged_in(stack, "relay", "worker", "scheduler")
        alerts = context.enter_context(prometheus(str(EXECUTABLE), folder / "prometheus", stack.settings.port, TOKEN))
        yield Service(stack, client, alerts)


def hanging_database(one: Service) -> Iterator[None]:
    freeze(one.stack.mongodb)
    yield
    thaw(one.stack.mongodb)


def slow_database(one: Service) -> Iterator[None]:
    yield


def hanging_queue(one: Service) -> Iterator[None]:
    freeze(one.stack.queue)
    yield
    thaw(one.stack.queue)


def killed_worker(one: Service) -> Iterator[None]:
    one.stack.kill("worker")
    yield
    one.stack.start("worker")


def killed_relay(one: Service) -> Iterator[None]:
    one.stack.kill("relay")
    yield
    one.stack.start("relay")


def given_up_event(one: Service) -> Iterator[None]:
    made = Event(kind="test.happened", stream="test", seq=1, at=now(), pending=["none"], died_at=now()).save()
    yield
    Event.objects(id=made.id).delete()


def dead_mail_server(one: Service) -> Iterator[None]:
    kill(one.stack.sink)
    yield
    one.stack.sink.start(timeout=60)


def late_job(one: Service) -> Iterator[None]:
    """Let a job be due in a minute whose last run was an hour ago, again and again: as if it failed each time."""
    over = Flag()

    def postpone() -> None:
        while not over.wait(0.2):
            due = {"due_at": now() + timedelta(seconds=60), "ran_at": now() - timedelta(hours=1)}
            Due._get_collection().update_one({"_id": "accounts.orphans"}, {"$set": due})

    thread = Thread(target=postpone)
    thread.start()
    yield
    over.set()
    thread.join()
    Due._get_collection().update_one({"_id": "accounts.orphans"}, {"$set": {"due_at": now()}})


def old_backup(one: Service) -> Iterator[None]:
    BackupRecord._get_collection().insert_one({"_id": "last", "at": now() - timedelta(hours=30), "bytes": 1})
    yield
    note(1)


def old_key(one: Service) -> Iterator[None]:
    (path,) = Path(one.stack.settings.keys_path).glob("*.pem")
    before = path.stat().st_mtime
    os.utime(path, (before - 500 * 86_400,) * 2)
    yield
    os.utime(path, (before,) * 2)


def ask(one: Service) -> None:
    one.ask()


def ask_slowly(one: Service) -> None:
    """Ask while the database hangs for a second, as a disk that is too slow makes it."""
    if "TaskManagerSlow" in one.alerts.firing():
        return
    freeze(one.stack.mongodb)
    timer = Timer(1.3, lambda: thaw(one.stack.mongodb))
    timer.start()
    one.ask(1)
    timer.join()


def send_mail(one: Service) -> None:
    email = f"{ObjectId()}@example.com"
    body = {"email": email, "password": "correct horse battery", "name": "N"}
    requests.post(f"{one.stack.url}/api/v1/auth/register", json=body, timeout=20)
    requests.post(f"{one.stack.url}/api/v1/auth/verify-email/request", json={"email": email}, timeout=20)


def write(one: Service) -> None:
    """Write a task, which alone makes no job in a project of one member, and make an account, which makes one."""
    one.write()
    send_mail(one)


def nothing(one: Service) -> None:
    pass


BROKEN = {
    (hanging_database, ask, ask): (
        "TaskManagerServerAway",
        "TaskManagerFiguresMissing",
        "TaskManagerErrorsFast",
        "TaskManagerErrorsSlow",
    ),
    (slow_database, ask_slowly, ask): ("TaskManagerSlow",),
    (hanging_queue, ask, nothing): ("TaskManagerServerAway",),
    (killed_worker, write, nothing): ("TaskManagerNoWorker", "TaskManagerQueueOld"),
    (killed_relay, write, nothing): ("TaskManagerLeaseFree", "TaskManagerEventLag", "TaskManagerPositionsLag"),
    (given_up_event, nothing, nothing): ("TaskManagerEventsGivenUp",),
    (dead_mail_server, send_mail, send_mail): ("TaskManagerDeliveriesFail",),
    (late_job, nothing, nothing): ("TaskManagerJobsLate",),
    (old_backup, nothing, nothing): ("TaskManagerBackupOld",),
    (old_key, nothing, nothing): ("TaskManagerKeysOld",),
}


@whole
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken[0].__name__)
def test_each_alert_fires_and_ends(service, broken, report):
    fault, act, mended_act = broken
    steps = fault(service)
    next(steps)
    try:
        fired = service.until(*BROKEN[broken], act=lambda: act(service))
    finally:
        next(steps, None)
    ended = service.until(*BROKEN[broken], act=lambda: mended_act(service), ends=True)
    report(fault.__name__, fired, ended, *BROKEN[broken])
