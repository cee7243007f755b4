"""Health checks say the truth to those who may know it."""

import base64

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from taskmanager.api.checks import measured
from taskmanager.core.events import outbox, queue_report
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage import database
from taskmanager.features.notifications.delivery import service as deliveries
from tests.faults.stack import eventually

MACHINE = {"data:disk", "machine:memory", "database:disk"}  # of whatever the tests run on
SERVICES = ["user", "task", "notification", "stream"]
AWAY = "redis://127.0.0.1:1/0"


def test_live_and_ready(client):
    assert client.get("/health/live").json == {"status": "ok", "services": SERVICES}
    assert client.get("/health/ready").json == {"status": "ok", "services": SERVICES, "checks": {"database": "ok"}}


def test_without_a_database_it_is_alive_but_not_ready(other_app):
    client = other_app(mongodb_uri="mongodb://127.0.0.1:1/none?replicaSet=rs0").test_client()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json["checks"]) == (503, {"database": "unavailable"})
    assert client.get("/health/live").status_code == 200
    database.disconnect()


def test_details_are_for_administrators(client, caller):
    assert client.get("/health").status_code == 401
    assert caller().get("/health").status_code == 403
    administrator = caller(role="admin")
    not_here = {"workers:living", "relay:lease", "scheduler:lease"}
    eventually(lambda: _failed(administrator.get("/health")) <= not_here | MACHINE, "checks that end in their second")
    answer = administrator.get("/health")
    body = answer.json
    assert (answer.status_code, answer.mimetype) == (200, "application/health+json")
    assert body["status"] == "fail"
    assert body["problems"] == []
    assert {"memory_percent", "cpu_percent", "disk_percent"} <= body["machine"].keys()
    assert body["events_waiting"] >= 0
    assert body["deliveries"] == {"pending": 0, "dead": 0, "oldest_s": 0.0}


def _failed(answer):
    checks = answer.json["checks"].items()
    return {name for name, values in checks if any(one["status"] == "fail" for one in values)}


def test_the_queues_tell_what_waits_and_for_how_long(caller, scene):
    administrator = caller(role="admin")
    outbox.relay_batch()
    body = administrator.get("/health").json
    assert body["queues"]["notification-high"]["waiting"] > 0 and body["queues"]["notification-low"]["waiting"] == 0
    assert body["queues"]["notification-high"]["oldest_s"] >= 0
    assert body["jobs_last_minute"] == {"done": 0, "failed": 0}
    assert body["attempts_last_minute"] == {"sent": 0, "failed": 0, "dead": 0, "cancelled": 0}


def test_metrics_are_for_the_token_and_for_administrators(other_app, caller, scene):
    administrator = caller(role="admin")
    outbox.relay_batch()
    queue_report.JOBS.count("task-high", "done")
    deliveries.ATTEMPTS.count("email", "failed")
    text = administrator.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    found = [sample for family in families.values() for sample in family.samples]
    samples = {(sample.name, *sorted(sample.labels.values())): sample.value for sample in found}
    assert samples["taskmanager_queue_waiting", "notification-high"] > 0
    assert samples["taskmanager_jobs_total", "done", "task-high"] == 1
    assert samples["taskmanager_attempts_total", "email", "failed"] == 1
    assert samples["taskmanager_up", "queue"] == samples["taskmanager_up", "database"] == 1
    client = other_app(metrics_token=SecretStr("a secret of Prometheus")).test_client()
    assert client.get("/metrics").status_code == 401
    headers = {"Authorization": "Bearer a secret of Prometheus"}
    assert client.get("/metrics", headers=headers).status_code == 200
    headers = {"Authorization": "Bearer another"}
    assert client.get("/metrics", headers=headers).status_code == 401


def test_metrics_without_the_queue_say_so(other_app, caller):
    administrator = caller(role="admin")
    client = other_app(queue_url=AWAY).test_client()
    text = client.get("/metrics", headers={"Authorization": administrator.environ_base["HTTP_AUTHORIZATION"]}).text
    assert 'taskmanager_up{store="queue"} 0.0' in text
    assert 'taskmanager_scrape_errors{source="queues"} 1.0' in text
    assert 'taskmanager_scrape_errors{source="events"} 0.0' in text
    assert "taskmanager_deliveries_pending 0.0" in text


def test_without_its_stores_it_is_degraded_but_ready(other_app, caller):
    administrator = caller(role="admin")
    app = other_app(queue_url=AWAY, cache_url="redis://127.0.0.1:2/0")
    token = administrator.environ_base["HTTP_AUTHORIZATION"]
    client = app.test_client()
    body = client.get("/health", headers={"Authorization": token}).json
    assert [body["checks"][name][0]["status"] for name in ("queue:response", "cache:response")] == ["warn", "warn"]
    assert len(body["problems"]) == 2 and "queues" not in body
    assert client.get("/health/ready").status_code == 200


def test_the_details_are_told_with_the_token_of_metrics_too_also_without_a_database(other_app, monkeypatch):
    monkeypatch.setattr(measured, "_SECONDS", 1.0)
    secret = {"Authorization": "Bearer a secret of Prometheus"}
    changes = {"metrics_token": SecretStr("a secret of Prometheus")}
    client = other_app(mongodb_uri="mongodb://127.0.0.1:1/none?replicaSet=rs0", **changes).test_client()
    answer = client.get("/health", headers=secret)
    assert (answer.status_code, answer.json["status"]) == (200, "fail")
    assert answer.json["checks"]["database:primary"][0]["status"] == "fail"
    sentences = ("does not respond", "took longer than a second")  # the second one on a busy machine
    assert any(sentence in note for note in answer.json["notes"] for sentence in sentences)
    assert answer.json["queues"].keys() == set(outbox.QUEUES)
    database.disconnect()


def test_what_is_no_job_of_ours_has_no_age(caller):
    administrator = caller(role="admin")
    queue_store().rpush(outbox.queue("task-low").key, b"\xff\xfe")
    queue_store().hset(b"rq:job:\xff\xfe", "enqueued_at", b"\xff")
    answer = administrator.get("/health")
    assert (answer.status_code, answer.json["queues"]["task-low"]["oldest_s"]) == (200, 0.0)


def test_a_queue_that_answers_half_is_reported_as_away(caller, monkeypatch):
    administrator = caller(role="admin")
    for name in outbox.QUEUES:  # what stands there is no list: the store refuses to count it
        queue_store().set(outbox.queue(name).key, "x")
    answer = administrator.get("/health")
    assert (answer.status_code, answer.json["checks"]["queue:age"][0]["status"]) == (200, "warn")


def test_the_public_keys_can_be_kept_and_have_no_private_part(client):
    answer = client.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    (key,) = answer.json["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    assert len(base64.urlsafe_b64decode(key["x"] + "=")) == 32
    assert "d" not in key


def test_probes_are_not_limited(other_app):
    client = other_app(ratelimit_enabled=True, ratelimit_default="2/minute").test_client()
    assert [client.get("/health/live").status_code for _ in range(5)] == [200] * 5
    assert [client.get("/api/v1/none").status_code for _ in range(4)] == [404, 404, 429, 429]
