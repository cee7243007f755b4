"""The report for operators: thresholds, bounds, and what a broken thing looks like."""

import socket
import threading
import time
from datetime import timedelta

import pytest
from rq.worker import SimpleWorker

from taskmanager.api.checks import machine, measured
from taskmanager.api.checks.measured import HealthCheck, HealthChecks, Measured, above, worst
from taskmanager.api.checks.processes import PROCESS_CHECKS
from taskmanager.core.clock import now
from taskmanager.core.events import outbox
from taskmanager.core.events.log import QUEUES
from taskmanager.core.events.schedule import Due
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage.lease import Lease

DRAFT = {"componentId", "observedValue", "observedUnit", "status", "time", "output"}


@pytest.fixture
def report(caller):
    administrator = caller(role="admin")
    return lambda: administrator.get("/health").json


def test_every_member_is_one_of_the_draft(report):
    body = report()
    assert {"status", "version", "releaseId", "serviceId", "notes", "checks"} <= body.keys()
    for key, values in body["checks"].items():
        assert key.count(":") == 1
        assert all(one.keys() <= DRAFT and one["status"] in ("pass", "warn", "fail") for one in values)
    assert {"database:primary", "database:pool", "database:disk", "queue:persistence", "queue:memory", "cache:response",
            "workers:living", "relay:lease", "relay:lag", "clock:skew", "keys:age", "mail:response",
            "service:maintenance", "machine:load"} - body["checks"].keys() <= {"queue:memory"}  # fmt: skip


def test_processes_that_work_pass(app, report):
    worker = SimpleWorker([outbox.queue(name) for name in QUEUES], connection=queue_store())
    worker.register_birth()
    leases = [Lease("relay"), Lease("schedule")]
    assert all(lease.hold() for lease in leases)
    try:
        checks = report()["checks"]
    finally:
        worker.register_death()
    assert [one["observedValue"] for one in checks["workers:living"]] == [1] * len(QUEUES)
    assert {checks[name][0]["status"] for name in ("relay:lease", "scheduler:lease")} == {"pass"}


def test_a_periodic_job_that_fails_each_time_is_named(app):
    """Although the scheduler holds its lease, and the job is due again and again."""
    checks = [check for check in PROCESS_CHECKS if check.key == "scheduler:lag"]
    soon = now() + timedelta(seconds=30)
    Due(name="tasks.trash", due_at=soon, ran_at=now() - timedelta(minutes=20)).save()
    Due(name="tasks.reminders", due_at=soon, ran_at=now()).save()
    [found] = HealthChecks(checks).run()
    assert (found.status, found.output[:11]) == ("warn", "tasks.trash")
    Due.objects(name="tasks.trash").update(set__ran_at=now())
    assert [one.status for one in HealthChecks(checks).run()] == ["pass"]


def test_a_mail_server_that_does_not_greet_is_a_warning_within_a_second(other_app, caller, monkeypatch):
    monkeypatch.setattr(machine, "_SECONDS", 0.9)
    administrator = caller(role="admin")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = other_app(mail_url=f"smtp://127.0.0.1:{silent.getsockname()[1]}").test_client()
        token = {"Authorization": administrator.environ_base["HTTP_AUTHORIZATION"]}
        checks = client.get("/health", headers=token).json["checks"]
    assert [one["status"] for one in checks["mail:response"]] == ["warn"]


def test_what_hangs_costs_a_second_and_one_thread(app, monkeypatch):
    monkeypatch.setattr(measured, "_SECONDS", 1.0)
    let, started = threading.Event(), []

    def hang():
        started.append(1)
        let.wait(60)
        return [Measured("a:a", 1)]

    checks = HealthChecks([HealthCheck("a:a", hang), HealthCheck("b:b", lambda: [Measured("b:b", 2)])])
    begun = time.monotonic()
    first = checks.run()
    assert time.monotonic() - begun < 10
    assert [(one.key, one.status) for one in first] == [("a:a", "fail"), ("b:b", "pass")]
    checks._until = 0.0
    assert checks.run()[0].status == "fail" and len(started) == 1
    let.set()


def test_a_result_is_reused_for_a_moment(app, monkeypatch):
    monkeypatch.setattr(measured, "_FRESH_SECONDS", 60.0)
    runs = []
    checks = HealthChecks([HealthCheck("a:a", lambda: runs.append(1) or [Measured("a:a", 1)])])
    assert checks.run() == checks.run()
    assert len(runs) == 1


def test_what_raises_shows_no_secret(app):
    def failing():
        raise OSError("a secret place")

    (found,) = HealthChecks([HealthCheck("a:a", failing, away="warn")]).run()
    assert found.status == "warn" and "secret" not in found.output


@pytest.mark.parametrize(("value", "status"), [(1, "pass"), (5, "warn"), (9, "fail")])
def test_thresholds(value, status):
    assert above("a:a", value, "s", warn=5, fail=9).status == status


def test_the_worst_counts():
    assert (worst(["pass", "warn"]), worst(["fail", "warn"]), worst([])) == ("warn", "fail", "pass")
