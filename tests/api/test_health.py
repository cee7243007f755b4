"""Health checks say the truth to those who may know it."""

import base64

from taskmanager.core import database

AWAY = "redis://127.0.0.1:1/0"


def test_live_and_ready(client):
    assert client.get("/health/live").json == {"status": "ok"}
    assert client.get("/health/ready").json == {"status": "ok", "checks": {"database": "ok"}}


def test_without_a_database_it_is_alive_but_not_ready(other_app):
    client = other_app(mongodb_uri="mongodb://127.0.0.1:1/none?replicaSet=rs0").test_client()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json["checks"]) == (503, {"database": "unavailable"})
    assert client.get("/health/live").status_code == 200
    database.disconnect()


def test_details_are_for_administrators(client, caller):
    assert client.get("/health").status_code == 401
    assert caller().get("/health").status_code == 403
    body = caller(role="admin").get("/health").json
    assert body["status"] == "ok"
    assert body["checks"] == {"database": "ok", "queue": "ok", "cache": "ok"}
    assert {"memory_percent", "cpu_percent", "disk_percent"} <= body["machine"].keys()
    assert body["events_waiting"] >= 0


def test_without_its_stores_it_is_degraded_but_ready(other_app, caller):
    administrator = caller(role="admin")
    app = other_app(queue_url=AWAY, cache_url="redis://127.0.0.1:2/0")
    token = administrator.environ_base["HTTP_AUTHORIZATION"]
    client = app.test_client()
    body = client.get("/health", headers={"Authorization": token}).json
    assert (body["status"], body["checks"]["queue"], body["checks"]["cache"]) == (
        "degraded",
        "unavailable",
        "unavailable",
    )
    assert client.get("/health/ready").status_code == 200


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
