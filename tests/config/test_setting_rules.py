"""Every setting is read at start as its user reads it; names that no setting has are refused."""

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from config.settings import load
from taskmanager.core.configuration.setting_rules import PATHS, rule_of
from taskmanager.core.configuration.settings import Settings, build
from taskmanager.core.errors import Misconfigured
from tests import forked

LONG = "k3" * 20
ESCAPED = r"percent-encoded: write # as %23"
RATES = ["600/fortnite", "many", "600", "-3/hour", "0/minute", "/minute", "600/"]
REDIS = ["localhost:6379", "http://h/0", "redis://", "redis://h:port/0", "redis://h:70000/0", "redis://h/zero",
         "redis://h/0?foo=1", "redis://h/0?socket_timeout=x", "unix://", "redis://h /0",
         "redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://h,/name", "redis+sentinel://h:0/name",
         "redis+sentinel://h:x/name/0", "redis+sentinel://h/name/zero", "redis+sentinel://h/a b", "unix+sentinel://h/a",
         "redis+sentinel://h/name?foo=1", "redis+sentinel://u:a@b@h/name"]  # fmt: skip
CLUSTERS = [
    "redis+cluster://h/0",
    "redis+cluster://",
    "redis+cluster://h,",
    "redis+cluster://h:port",
    "redis+other://h",
]
HOSTS = ["http://h", "300.1.1.1", "h:80", "a b", "[::1]", "-h"]
LINKS = [
    "example.com/terms",
    "javascript:alert(1)",
    "ftp://h",
    "https://",
    "https://u@h",
    "https://h x",
    "https://ä.example",
]

PATTERNS = ["tasks/{id}", "//h/{id}", "javascript:{id}", "https://{id}", "https://{id}.h/x", "https://u@h/{id}",
            "pages", "https://h/{id} x", "https://h/{}", "/x/{id}{other}", "https://h:port/{id}"]  # fmt: skip
_NO_RATES = ("ratelimit_enabled", "ratelimit_network")

# For each setting whose type is text: what it refuses. A new one must be written down here.
BAD: dict[str, list[str]] = {
    "stream_url": ["app.example.com", "ftp://h", "https://h/?a=b", "https://h/#x", "https://u:p@h"],
    "app_url": ["app.example.com", "ftp://h", "https://h/?a=b", "https://h/#x", "https://u:p@h"],
    "link_task": [*PATTERNS, "/tasks", "/tasks/{id", "/tasks/{token}", "/tasks/{id}{0}", "/{key}\u00e4"],
    "link_project": [*PATTERNS, "/projects/{key}"],
    "link_invitation": [*PATTERNS, "/invitations/{id}"],
    **{f"link_{name}": [*PATTERNS, "/x?token={id}"] for name in ("confirm", "address_change", "reset", "unsubscribe")},
    "services": ["tasks", "task,", "all,task", "ALL"],
    "host": HOSTS,
    "traces_url": ["h:4318", "ftp://h", "http://h/?a=b", "http://u:p@h/v1/traces"],
    "traces_headers": ["Authorization", "=x", "a b=c", "a=b\nc", "a=\u00e4", "a="],
    "sentry_dsn": ["h", "https://h/1", "https://key@h", "https://key@h/x", "ftp://key@h/1"],
    "quota_exceptions": [
        "tasks=1",
        f"{'a' * 24}.tasks",
        f"{'a' * 24}.nothing=1",
        f"{'a' * 24}.exceptions=1",
        f"{'a' * 24}.tasks=-1",
        f"{'a' * 24}.tasks=1, {'a' * 24}.tasks=2",
        "A.tasks=1",
    ],
    "log_levels": ["DEBUG", "a=LOUD", "=DEBUG", "a:DEBUG"],
    "public_url": [
        "tasks.example.com",
        "ftp://h",
        "https://",
        "https://h:port",
        "https://h/?a=b",
        "https://h/#x",
        "https://u:p@h",
        "https://aufgäben.example",
        "https://h x",
    ],
    "cors_origins": [
        "app.example.org",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://*",
        "https://*.org",
        "https://app.*.org",
        "https://*example.org",
        "https://*.1.1.1.1",
        "ftp://a.example",
        "null",
        "https://a.example:0",
        "https://a.example:70000",
        "https://u@a.example",
        "https://a.example,",
        "*, https://a.example",
        "https://bücher.example",
        ".*",
    ],
    "service_name": ["\x07", "x" * 101, "a\nb"],
    "terms_url": LINKS,
    "privacy_url": LINKS,
    "support_url": LINKS,
    "signup": ["anyone", "OPEN"],
    "signup_domains": [
        "@example.org",
        "*.example.org",
        "example",
        "a b.example",
        "example.org,",
        "ada@b.example",
        "x..y",
    ],
    "replica_reads": ["list", "lists,", "lists search", "all"],
    "mongodb_uri": [
        "localhost:27017",
        "http://h/db",
        "mongodb://",
        "mongodb://h:port/db",
        "mongodb://h/d b",
        "mongodb://h/db?foo=bar",
        "mongodb://h/db?maxPoolSize=x",
        "mongodb://h/db?tls=maybe",
        "mongodb://h/db?w=1",
        "mongodb://h/db?readPreference=secondary",
        "mongodb+srv://h.example.org/db?retryWrites=false",
        "mongodb:///db",
    ],
    "queue_url": [*REDIS, *CLUSTERS, "redis+cluster://h"],
    "cache_url": [*REDIS, *CLUSTERS],
    "mail_url": [
        "localhost:25",
        "pigeon://coop",
        "smtp://",
        "smtp://h:port",
        "smtp://h:0",
        "smtp://h:70000",
        "smtp://h/path",
        "smtp://h?x=y",
        "smtp://h#x",
        "smtp:h",
        "null:",
        "smtp://h h",
    ],
    "mail_from": ["Task Manager", "a@", "@b", "a@b, c@d", "a@b\r\nBcc: c@d", "<>", "jörg@example.com"],
    "mail_helo": [name for name in HOSTS if name != "[::1]"] + ["[::1", "[IPv6:x]", "a\r\nMAIL FROM:<x>"],
    "sms_url": ["twilio://", "twilio://x/{to}", "pigeon://x/{to}", "json://localhost/none"],
    "chat_url": ["pigeon://x/{user}", "json://localhost/none", "slack://{user}"],
    "webhook_allow": ["*.corp", "10.0.0.0/99", "a b", "http://h"],
    "attachment_types": ["image", "image/", "/png", "image/png;image/gif", "image/png,"],
    "oidc_issuer": ["login.example.com", "ftp://h", "https://h?x=y", "https://h#x", "https://u:p@h"],
    "oidc_client_id": ["a\nb", "ä"],
    "oidc_client_secret": ["a\nb", "ä"],
    "oidc_name": ["\x07", "x" * 101, "a\nb"],
    "admin_email": ["admin", "admin@localhost", "a@b@c.example"],
    "admin_password": ["short", "x" * 129],
    "secret_key": ["short", "changeme"],
    "metrics_token": ["a\nb", "ä", " blank "],
    "ratelimit_network": ["-1", "00", *RATES],
    "environment": ["staging"],
    "attachment_store": ["S 3"],
    "log_level": ["loud"],
    **{name: RATES for name in Settings.model_fields if name.startswith("ratelimit_") and name not in _NO_RATES},
}
BY_TYPE: dict[Any, list[str]] = {
    int: ["x", "1.5", "-1", "9" * 20],
    float: ["x", "nan", "-1", "inf"],
    bool: ["perhaps", "2"],
}
CASES = [
    (name, value)
    for name, field in Settings.model_fields.items()
    for value in BAD.get(name, BY_TYPE.get(field.annotation, []))
]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TASKMANAGER_{name.upper()}", raising=False)


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_wrong_value_is_refused_at_start_by_its_name_alone(monkeypatch, name, value):
    monkeypatch.setenv(f"TASKMANAGER_{name.upper()}", value)
    with pytest.raises(Misconfigured) as refused:
        load()
    assert f"TASKMANAGER_{name.upper()}" in refused.value.detail


def test_every_setting_of_text_is_in_the_table():
    """The kind ends here: whoever adds a setting says what it refuses, and where its rule is."""
    texts = {name for name, field in Settings.model_fields.items() if field.annotation in (str, SecretStr)}
    assert texts - set(BAD) == set()
    fields = Settings.model_fields
    without = {name for name in texts if not (rule_of(name, fields[name].annotation) or fields[name].metadata)}
    assert without == {"secret_key"}  # its rule is about the environment too
    assert {name for name, field in fields.items() if Path in (field.annotation, *get_args(field.annotation))} == set(
        PATHS
    )
    numbers = {name for name, field in Settings.model_fields.items() if field.annotation in (int, float)}
    assert [name for name in numbers if not Settings.model_fields[name].metadata] == []


@pytest.mark.parametrize("name", PATHS)
def test_a_file_where_a_folder_belongs_and_the_other_way_round_are_refused(tmp_path, name):
    (tmp_path / "file").touch()
    wrong = tmp_path if name.endswith("_file") else tmp_path / "file"
    with pytest.raises(Misconfigured, match=f"TASKMANAGER_{name.upper()}"):
        load(**{name: wrong})


@pytest.mark.parametrize("character", "#/?@:%")
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("mail_url", "smtp://user:{}@mail.example.com:2525"),
        ("mail_url", "smtps://{}@mail.example.com"),
        ("mongodb_uri", "mongodb://user:{}@h1:27017,h2:27017/taskmanager?replicaSet=rs0"),
        ("mongodb_uri", "mongodb+srv://user:{}@h.example.com/taskmanager"),
        ("queue_url", "redis://:{}@h:6379/1"),
        ("cache_url", "rediss://user:{}@h/1"),
        ("sms_url", "twilio://AC735c307c62944b5a88a1b6f9bd7a3b6e:{}@15551234567/{{to}}"),
        ("chat_url", "json://user:{}@chat.example.com/hook?+user={{user}}"),
    ],
)
def test_a_password_that_is_not_encoded_is_refused_with_the_way_to_write_it(name, url, character):
    for secret in (f"Pa{character}Wort", f"{character}PaWort", f"12{character}PaWort"):
        if url.startswith("smtps") and character == ":":
            continue  # there it begins the password
        with pytest.raises(Misconfigured, match=ESCAPED) as refused:
            load(**{name: url.format(secret)})
        assert "Wort" not in refused.value.detail


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("mail_url", "smtp+tls://user%40example.com:p%23%2F%3F%40%3A%25w@mail.example.com"),
        ("mail_url", "smtp://[::1]:2525"),
        ("mongodb_uri", "mongodb://user:p%23%2F%40w@h1:27017,h2:27017/taskmanager?replicaSet=rs0"),
        ("mongodb_uri", "mongodb+srv://user:pass@h.example.com/taskmanager"),
        ("queue_url", "redis://:p%23w@h:6379/1"),
        ("queue_url", "unix:///run/queue.sock?db=3"),
        ("sms_url", "vonage://KEYKEYKE:SECRETSECRETSECR@15551234567/{to}"),
        ("chat_url", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/@{user}"),
        ("chat_url", "json://localhost:8080/hook?+user={email}"),
        ("mail_from", "tasks@example.com"),
        ("mail_from", '"Tasks, all of them" <tasks@example.com>'),
        ("ratelimit_default", "10/second;600/minute"),
        ("ratelimit_login_address", "5 per 15 minutes"),
        ("webhook_allow", "10.0.0.0/8, hooks.internal, ::1"),
        ("attachment_types", "image/*, application/pdf"),
        ("host", "::"),
        ("host", "tasks.example.com"),
        ("public_url", "https://example.com/tasks"),
        ("cors_origins", "*"),
        ("cors_origins", "https://App.example.org, https://*.example.org:8443,http://localhost:*,http://[::1]:3000"),
        ("mail_helo", "[IPv6:2001:db8::1]"),
        ("mail_helo", "tasks.example.com"),
        ("ratelimit_network", "0"),
    ],
)
def test_what_is_right_is_taken(name, url):
    assert getattr(load(**{name: url}), name) == url


def test_files_for_the_mail_server_are_looked_at_when_starting(tmp_path, certificate):
    (tmp_path / "token").write_text("x")
    assert load(mail_ca_file=certificate).mail_ca_file == certificate
    for wrong in (tmp_path / "token", tmp_path, tmp_path / "none"):
        with pytest.raises(Misconfigured, match="TASKMANAGER_MAIL_CA_FILE"):
            load(mail_ca_file=wrong)
    with pytest.raises(Misconfigured, match="TASKMANAGER_MAIL_OAUTH_TOKEN_FILE"):
        load(mail_oauth_token_file=tmp_path, mail_url="smtp://ada@h")
    with pytest.raises(Misconfigured, match="needs the user"):
        load(mail_oauth_token_file=tmp_path / "token", mail_url="smtp://h")


def test_one_store_is_known_however_it_is_spelled():
    with pytest.raises(Misconfigured, match="two stores"):
        load(queue_url="redis://h", cache_url="redis://:pass@H:6379/0")


def test_a_provider_without_tls_is_for_development_only():
    provider = {"oidc_issuer": "http://127.0.0.1:9000", "oidc_client_id": "tasks"}
    assert load(**provider).oidc_issuer
    with pytest.raises(Misconfigured, match="TASKMANAGER_OIDC_ISSUER must begin with https"):
        load(environment="production", secret_key=LONG, keys_dir="/keys", **provider)
    with pytest.raises(Misconfigured, match="TASKMANAGER_OIDC_CLIENT_ID"):
        load(oidc_issuer="https://login.example.com")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TASKMANAGER_PROT", "TASKMANAGER_PORT"),
        ("TASKMANAGER_MONGO_URI", "TASKMANAGER_MONGODB_URI"),
        ("TASKMANAGER_RATELIMIT_DEFALT", "TASKMANAGER_RATELIMIT_DEFAULT"),
        ("taskmanager_mail_ulr", "TASKMANAGER_MAIL_URL"),
    ],
)
@pytest.mark.parametrize("value", ["1", ""])
def test_a_name_that_no_setting_has_is_refused_with_the_nearest(monkeypatch, name, meant, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=f"{name.upper()} is no setting: did you mean {meant}"):
        load()


def test_what_kubernetes_makes_for_a_service_is_explained(monkeypatch):
    monkeypatch.setenv("TASKMANAGER_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(Misconfigured, match="enableServiceLinks: false"):
        load()


def test_names_of_plugins_are_the_plugins(monkeypatch):
    monkeypatch.setenv("TASKMANAGER_X_WEATHER_CITY", "Berlin")
    assert load()


def test_a_command_says_it_in_one_sentence():
    ran = forked.run(["-m", "workers.cli", "migrate"], environment={"TASKMANAGER_PROT": "1"}, timeout=60)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "did you mean TASKMANAGER_PORT" in ran.stderr


def test_wrong_defaults_would_be_found():
    """What is in force when nothing is set is good for its own rule."""
    defaults = {
        name: field.default for name, field in Settings.model_fields.items() if get_args(field.annotation) == ()
    }
    assert build(Settings, **defaults)
