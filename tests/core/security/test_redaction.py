"""Nothing of a URL setting and no secret is in what is logged, stored or said of errors."""

import pytest
from pydantic import SecretStr
from rq.job import Job

from taskmanager.core import jobs
from taskmanager.core.configuration import settings
from taskmanager.core.events import outbox
from taskmanager.core.security.redaction import redact, redacted, scrubbed
from taskmanager.core.servers.stores import queue_store
from tests import forked
from workers.worker import Worker

URLS = {
    "mongodb_uri": "mongodb://operator%40example.com:Mon%2Fgo1@db1.example.com:27017,db2.example.com/x?replicaSet=rs0",
    "queue_url": "rediss://:Queue%23pw1@queue.example.com:6390/0",
    "cache_url": "redis://user:Cache2@cache:6380/0",
    "mail_url": "smtp+tls://mailer%40example.com:Ma%3Ail3@smtp.example.com:587",
    "sms_url": "twilio://AC735c307c62944b5a88a1b6f9bd7a3b6e:e29dfbcebf390dee@15551234567/{to}",
    "chat_url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/@{user}",
}
SECRETS = [
    *URLS.values(),
    *("Mon%2Fgo1", "Mon/go1", "operator@example.com", "operator%40example.com", "db1.example.com", "db2.example.com"),
    *("Queue%23pw1", "Queue#pw1", "queue.example.com:6390", "Cache2", "cache:6380"),
    *("Ma%3Ail3", "Ma:il3", "mailer@example.com", "smtp.example.com"),
    *("AC735c307c62944b5a88a1b6f9bd7a3b6e", "e29dfbcebf390dee", "TIiajkdnlazkcOXrIdevi7FQ", "T1JJ3T3L2"),
    *("a key of forty characters, all random ones", "the token of Prometheus"),
]


@pytest.fixture
def given(app):
    """Settings with all these URLs are in force."""
    chosen = settings.current()
    secret = {
        "secret_key": SecretStr("a key of forty characters, all random ones"),
        "metrics_token": SecretStr("the token of Prometheus"),
    }
    settings.use(chosen.model_copy(update=URLS | secret))
    yield
    settings.use(chosen)


@pytest.mark.parametrize("part", SECRETS)
def test_each_part_is_replaced_by_the_name_of_its_variable(given, part):
    said = redact(f"OSError: no way to <{part}>, says b'{part}'")
    assert part not in said
    assert "TASKMANAGER_" in said


def test_a_text_is_scrubbed_by_the_settings_of_now():
    chosen, text = settings.current(), "a word that becomes a secret"
    assert scrubbed({"error": [text]}) == {"error": [text]}
    settings.use(chosen.model_copy(update={"metrics_token": SecretStr("becomes a secret")}))
    try:
        assert scrubbed({"error": [text]}) == {"error": ["a word that [TASKMANAGER_METRICS_TOKEN]"]}
    finally:
        settings.use(chosen)
    assert scrubbed({"error": [text], "tries": 2}) == {"error": [text], "tries": 2}


def test_what_is_no_part_stays(given):
    text = "ConnectionRefusedError: [Errno 111] 127.0.0.1 /api/v1/tasks user taskmanager.jobs cache"
    assert redact(text) == text


def test_of_headers_for_traces_only_secrets_are_hidden(app):
    """An id of a tenant is a header, too: `1` or `taskmanager` in each line would be no secret but a damage."""
    chosen = settings.current()
    headers = "X-Scope-OrgID=1,X-Scope=taskmanager,Authorization=ApiKey abcdefghij,X-Other=Qw7rty9x"
    settings.use(chosen.model_copy(update={"traces_headers": SecretStr(headers)}))
    try:
        text = "taskmanager.requests 127.0.0.1 r-1"
        assert redact(text) == text
        assert redact("abcdefghij, Qw7rty9x") == "[TASKMANAGER_TRACES_HEADERS], [TASKMANAGER_TRACES_HEADERS]"
    finally:
        settings.use(chosen)


def test_values_of_all_kinds_are_looked_through(given):
    found = redacted({"a": ["Cache2", {"b": "x Cache2 y"}], "n": 3, "t": ("Cache2",)})
    assert "Cache2" not in str(found) and found["n"] == 3


def test_a_changed_setting_is_known_at_once(given):
    settings.use(settings.current().model_copy(update={"cache_url": "redis://user:Renewed9@cache:6380/0"}))
    assert "Renewed9" not in redact("Renewed9")
    assert redact("Cache2") == "Cache2"


def test_what_rq_keeps_of_a_job_that_failed(contribute, secret, monkeypatch):
    monkeypatch.setattr(Worker, "_install_signal_handlers", lambda worker: None)  # those of the tests stay
    secret("no Ma:il3 here")
    contribute(jobs=(jobs.Job("tests.fails", _fails),))
    known = outbox.queue("task-high")
    known.enqueue_call(outbox.JOB, args=("tests.fails", "0" * 24), job_id="fails")
    Worker([known], connection=queue_store()).work(burst=True)
    kept = Job.fetch("fails", connection=queue_store(), serializer=outbox.CallSerializer).latest_result().exc_string
    assert "OSError: [TASKMANAGER_METRICS_TOKEN]" in kept


def _fails(item_id):
    raise OSError("no Ma:il3 here")


@pytest.fixture
def secret(app):
    """Makes these words a secret of the settings."""
    chosen = settings.current()
    yield lambda words: settings.use(chosen.model_copy(update={"metrics_token": SecretStr(words)}))
    settings.use(chosen)


@pytest.mark.parametrize(
    "step",
    ["log.warning('x', reason='no way to Cache2')", "log.exception('x')", "logging.getLogger('lib').error(error)",
     "raise error", "threading.Thread(target=fail).start()", "logging.getLogger('gunicorn.error').exception('x')"],
)  # fmt: skip
def test_what_is_logged_by_whomever_and_what_ends_a_process(step, tmp_path):
    environment = {"TASKMANAGER_CACHE_URL": "redis://user:Cache2@127.0.0.1:1/0", "TASKMANAGER_DATA_DIR": str(tmp_path)}
    ran = forked.run(["-c", _LOGS.format(step=step)], environment=environment, timeout=60)
    said = ran.stdout + ran.stderr
    assert "[TASKMANAGER_CACHE_URL]" in said and "Cache2" not in said, said


_LOGS = """
import logging, threading
import structlog
logging.getLogger("gunicorn.error").addHandler(logging.StreamHandler())
from config import logging as ours
from config.settings import load
from taskmanager.core.configuration import settings
settings.use(load())
ours.configure(settings.current())
log, error = structlog.get_logger("test"), OSError("no way to redis://user:Cache2@127.0.0.1:1/0")
def fail():
    raise error
try:
    raise error
except OSError:
    {step}
"""
