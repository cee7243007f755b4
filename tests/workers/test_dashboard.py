"""The dashboard of the queues is for administrators only."""

import pytest
from rq import Callback, Queue
from rq.job import Job as RqJob

from taskmanager.app import create_app
from taskmanager.core.events import outbox
from taskmanager.core.events.rq_jobs import SafeJob
from taskmanager.core.servers.stores import queue_store
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from workers.dashboard import make_app


@pytest.fixture
def dashboard(app, settings):
    yield make_app(settings).test_client()
    create_app(settings)


@pytest.fixture
def plain_rq(monkeypatch):
    """RQ's class of jobs, which is as it was after the test."""
    for name in ("success_callback", "failure_callback", "stopped_callback", "send_webhooks", "_handle_failure"):
        monkeypatch.setattr(RqJob, name, vars(RqJob)[name])
    return RqJob


def test_what_jobs_name_for_their_end_is_turned_off_once(plain_rq, dashboard, settings):
    job = plain_rq.create("os.getpid", connection=queue_store(), on_failure=Callback("os.abort"))
    assert (job.failure_callback, job.success_callback, job.stopped_callback) == (None, None, None)
    assert plain_rq.send_webhooks is SafeJob.send_webhooks
    keep = plain_rq._handle_failure
    make_app(settings)
    assert plain_rq._handle_failure is keep


def token_of(app, **fields):
    return sign_in(app, UserFactory(**fields)).environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")


def test_a_stranger_is_asked_for_a_token(dashboard):
    answer = dashboard.get("/queues/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert b"access token" in dashboard.get("/login").data


@pytest.mark.parametrize("token", ["", "x", "a;b"])
def test_what_is_no_token_opens_nothing(dashboard, token):
    dashboard.post("/login", data={"token": token})
    assert dashboard.get("/queues/0/data/queues.json").status_code == 303


def test_an_ordinary_account_opens_nothing(app, dashboard):
    dashboard.post("/login", data={"token": token_of(app)})
    assert dashboard.get("/queues/").status_code == 403
    assert dashboard.post("/queues/job/x/delete").status_code == 403


def test_an_administrator_sees_queues_and_jobs(app, dashboard, scene):
    outbox.relay_batch()
    answer = dashboard.post("/login", data={"token": token_of(app, role="admin")})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert dashboard.get("/queues/").status_code == 200
    queues = dashboard.get("/queues/0/data/queues.json").json["queues"]
    assert {queue["name"] for queue in queues} >= {"notification-high"}
    jobs = dashboard.get("/queues/0/data/jobs/notification-high/queued/8/asc/1.json").json["jobs"]
    assert jobs and "notifications.tell of" in str(jobs)


def test_a_planted_pickle_is_not_loaded(app, dashboard, tmp_path):
    planted = tmp_path / "planted"
    Queue("task-high", connection=queue_store()).enqueue("pathlib.Path.touch", str(planted))
    dashboard.post("/login", data={"token": token_of(app, role="admin")})
    dashboard.get("/queues/0/data/jobs/task-high/queued/8/asc/1.json")
    assert not planted.exists()
