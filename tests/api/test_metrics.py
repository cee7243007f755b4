"""What processes have counted: right under several of them, with bounded labels."""

import os
import random
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from taskmanager.api import metrics
from taskmanager.core.telemetry import metric_files, process_identity, timings
from tests import forked
from tests.faults.stack import eventually
from tests.scene import patch

RANDOM_PATHS = 100  # `test_random_requests.py` has more, at a real server


def samples_of(text):
    """{(name, (label, value) …): number}"""
    families = text_string_to_metric_families(text)
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


@pytest.fixture
def scrape(caller, monkeypatch):
    monkeypatch.setattr(metrics, "_session_figures", metrics._SessionFigures())  # not those of an earlier test
    administrator = caller(role="admin")
    return lambda: samples_of(administrator.get("/metrics").text)


def grown(before, after, name, **labels):
    """By how much the metrics of this name and with these labels have grown, together."""
    wanted = set(labels.items())
    return sum(value - before.get(key, 0) for key, value in after.items() if key[0] == name and wanted <= set(key[1:]))


def test_a_request_is_counted_by_its_template(scene, scrape):
    before = scrape()
    for _ in range(3):
        scene.owner.get(scene.task_path)
    patch(scene.owner, scene.task_path, {"title": "b"})
    after = scrape()
    route = "/api/v1/tasks/<string:task_id>"
    routes = {dict(key[1:])["route"] for key in after if key[0] == "taskmanager_http_requests_total"}
    (route,) = {route for route in routes if re.fullmatch(r"/api/v1/tasks/<[^/]*>", route)}
    counted = {"method": "GET", "route": route}
    assert grown(before, after, "taskmanager_http_requests_total", **counted, status="2xx") == 3
    assert grown(before, after, "taskmanager_http_request_duration_seconds_count", **counted) == 3
    assert grown(before, after, "taskmanager_http_response_bytes_total", route=route) > 300
    assert grown(before, after, "taskmanager_events_recorded_total", kind="task.updated") == 1
    assert grown(before, after, "taskmanager_mongodb_command_duration_seconds_count", command="find") >= 3
    assert grown(before, after, "taskmanager_mongodb_command_duration_seconds_count", command="commitTransaction") == 1


def test_what_anyone_can_make_up_adds_no_series(client, scrape):
    client.get("/nothing")
    client.open("/nothing", method="BREW")
    scrape()  # which is counted, too
    before = scrape()
    for _ in range(RANDOM_PATHS // 2):
        client.get(f"/api/v1/{secrets.token_hex(random.randint(1, 20))}")
        client.open(f"/{secrets.token_hex(4)}", method=secrets.choice(["BREW", "X", "MOVE"]))
    after = scrape()
    assert before.keys() - {key for key in before if "duration" in key[0]} <= after.keys()
    assert after.keys() <= before.keys()
    assert grown(before, after, "taskmanager_http_requests_total", route="unmatched", status="4xx") == RANDOM_PATHS


def test_errors_and_refusals_are_counted(other_app, scrape):
    before = scrape()
    client = other_app(ratelimit_enabled=True, ratelimit_default="2/minute").test_client()
    assert [client.get("/api/v1/none").status_code for _ in range(3)] == [404, 404, 429]
    after = scrape()
    assert grown(before, after, "taskmanager_limiter_refusals_total") == 1
    assert grown(before, after, "taskmanager_http_problems_total", code="rate_limit.exceeded") == 1
    assert grown(before, after, "taskmanager_store_duration_seconds_count", store="cache") >= 3


def test_reads_of_what_each_process_keeps_are_counted(scene, scrape):
    etag = scene.owner.get(scene.tasks_path).headers["ETag"]
    before = scrape()
    for _ in range(3):
        assert scene.owner.get(scene.tasks_path, headers={"If-None-Match": etag}).status_code == 304
    after = scrape()
    kinds = {"access": (3, 0), "access tokens": (3, 0), "unchanged lists": (2, 1)}
    for cache, (hits, misses) in kinds.items():
        assert grown(before, after, "taskmanager_cache_reads_total", cache=cache, outcome="hit") >= hits
        assert grown(before, after, "taskmanager_cache_reads_total", cache=cache, outcome="miss") == misses


def test_a_login_a_failure_and_the_active_users_are_counted(client, scrape, user):
    before = scrape()
    for password in ("wrong", "Correct horse 1"):
        client.post("/api/v1/auth/login", json={"email": user.email, "password": password})
    after = scrape()
    assert grown(before, after, "taskmanager_events_recorded_total", kind="login.failed") >= 1
    assert after["taskmanager_active_users", ("period", "day")] >= 1
    assert after["taskmanager_sessions",] >= 1


def test_a_transaction_that_is_rolled_back_counts_no_event(scene, scrape):
    before = scrape()
    answer = scene.owner.patch(scene.task_path, json={"title": "b"}, headers={"If-Match": '"9"'})
    assert answer.status_code == 412
    assert grown(before, scrape(), "taskmanager_events_recorded_total", kind="task.updated") == 0


def test_two_processes_are_one_service(server, caller):
    """Each connection goes to one of two processes, and each scrape to either."""
    token = {"Authorization": caller(role="admin").environ_base["HTTP_AUTHORIZATION"]}

    def scraped():
        return samples_of(requests.get(f"{server.url}/metrics", headers=token, timeout=30).text)

    eventually(lambda: scraped().get(("taskmanager_processes", ("role", "web")), 0) >= 2)
    before = scraped()
    for _ in range(40):  # a connection of its own for each
        assert requests.get(f"{server.url}/.well-known/jwks.json", timeout=30).ok
    seen = [grown(before, scraped(), "taskmanager_http_requests_total", route="/.well-known/jwks.json") for _ in "1234"]
    assert seen == [40] * 4
    after = scraped()
    resident = [dict(key[1:]) for key in after if key[0] == "taskmanager_process_resident_memory_bytes"]
    pids = {labels["pid"] for labels in resident if labels["role"] == "web"}
    assert after["taskmanager_processes", ("role", "web")] == len(pids) >= 2  # other tests may have a server, too
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)


FILES = """
import os, sys
from pathlib import Path
from taskmanager.core.telemetry import instruments, metric_files
from taskmanager.core.telemetry.process_metrics import ProcessMetrics
metric_files.share(Path(sys.argv[1]))
instruments.EVENTS.labels("a").inc(2)
instruments.STORE_SECONDS.labels("queue").observe(0.3)
ProcessMetrics("worker").write()
if sys.argv[2] == "keep":
    print(os.getpid(), flush=True)
    sys.stdin.read()
samples = [sample for family in metric_files.collected() for sample in family.samples]
print(sum(sample.value for sample in samples if sample.name == "taskmanager_events_recorded_total"))
"""


def test_the_counts_of_ended_processes_stay_while_another_runs(tmp_path):
    command = [sys.executable, "-c", FILES, str(tmp_path)]

    def end():
        ran = forked.run([*command[1:], "end"], environment=dict(os.environ))
        assert ran.returncode == 0, ran.stderr
        return ran

    with subprocess.Popen([*command, "keep"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        living.stdout.readline()
        (gauges,) = tmp_path.glob(f"gauge_livesum_{living.pid}.*.db")
        earlier = tmp_path / f"gauge_livesum_{living.pid}.1.db"  # of an earlier process with this id
        earlier.write_bytes(gauges.read_bytes())
        for number in (1, 2, 3):
            ran = end()
            assert float(ran.stdout) == 2 + 2 * number
        assert gauges.exists() and not earlier.exists()
        kept = {path.name for path in tmp_path.glob("*.db")}
        assert {"counter_ended.db", "histogram_ended.db"} <= kept
        assert len([name for name in kept if "ended" not in name]) <= 8  # of the living one, and of the last
        living.communicate("")
    ran = end()
    assert float(ran.stdout) == 2  # all had ended: the service was restarted


COUNTS = """
import os, sys, threading
from pathlib import Path
from taskmanager.core.telemetry import instruments, metric_files
metric_files.share(Path(sys.argv[1]))
sys.setswitchinterval(1e-6)
value = instruments.EVENTS.labels("a")
def count():
    for _ in range(500): value.inc()
    instruments.EVENTS.labels("x" * 2_000_000).inc(0)  # the file grows, and is mapped anew
def count_in_threads():
    threads = [threading.Thread(target=count) for _ in range(8)]
    for one in threads: one.start()
    for one in threads: one.join()
count_in_threads()
if not (child := os.fork()):
    count_in_threads()
    os._exit(0)
os.waitpid(child, 0)
count_in_threads()
samples = [sample for family in metric_files.collected() for sample in family.samples]
print(sum(sample.value for sample in samples if sample.name == "taskmanager_events_recorded_total"))
"""


def test_no_count_of_a_fork_or_of_a_file_that_grows_is_lost(tmp_path):
    ran = subprocess.run([sys.executable, "-c", COUNTS, str(tmp_path)], capture_output=True, text=True, check=True)
    assert float(ran.stdout) == 3 * 8 * 500


@pytest.mark.parametrize("is_running", [True, False])
def test_a_file_that_was_just_made_is_no_fault(tmp_path, monkeypatch, is_running):
    """A process makes it empty; one that was killed at this moment has left it so."""
    monkeypatch.setattr(metric_files._SharedFolder, "folder", tmp_path)
    (tmp_path / f"counter_{process_identity.own() if is_running else '99999999.1'}.db").touch()
    assert metric_files.collected() == []


def test_what_a_request_spends_is_counted_for_its_thread(scene):
    scene.owner.get(scene.task_path)
    fields = timings.SPENT.fields()
    assert fields["database_commands"] >= 1 and fields["database_ms"] > 0
