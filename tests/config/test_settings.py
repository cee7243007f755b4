"""Settings: wrong ones are named at start, and a secret is never shown."""

from pathlib import Path

import pytest

from config.settings import load
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
from taskmanager.core.security import keyring

LONG = "k3" * 20


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TASKMANAGER_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("ENVIRONMENT", "staging"),
        ("BCRYPT_COST", "99"),
        ("RATELIMIT_ENABLED", "perhaps"),
        ("LOG_LEVEL", "loud"),
        ("EVENT_DAYS", "29"),
        ("PUBLIC_URL", "https://aufgäben.example"),
        ("PUBLIC_URL", "tasks.example.com"),
        ("WEBHOOK_ALLOW", "*.corp"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(f"TASKMANAGER_{variable}", value)
    with pytest.raises(Misconfigured, match=f"TASKMANAGER_{variable}"):
        load()


def test_all_wrong_values_are_named_at_once(monkeypatch):
    monkeypatch.setenv("TASKMANAGER_PORT", "x")
    monkeypatch.setenv("TASKMANAGER_WEB_THREADS", "y")
    with pytest.raises(Misconfigured, match=r"TASKMANAGER_PORT.*TASKMANAGER_WEB_THREADS"):
        load()


@pytest.mark.parametrize("secret", ["short", "changeme", "x" * 31])
def test_a_weak_secret_is_refused_and_not_shown(monkeypatch, secret):
    monkeypatch.setenv("TASKMANAGER_SECRET_KEY", secret)
    with pytest.raises(Misconfigured) as refused:
        load()
    assert "TASKMANAGER_SECRET_KEY" in refused.value.detail
    assert secret not in refused.value.detail


@pytest.mark.parametrize("given", [{}, {"secret_key": LONG}, {"keys_dir": "/keys"}])
def test_production_refuses_to_start_without_its_secrets(monkeypatch, given):
    monkeypatch.setenv("TASKMANAGER_ENVIRONMENT", "production")
    with pytest.raises(Misconfigured, match="production needs"):
        load(**given)


def test_one_store_for_queue_and_cache_is_refused():
    with pytest.raises(Misconfigured, match="two stores"):
        load(queue_url="redis://h/0", cache_url="redis://h/0")


def test_the_kept_secret_is_private_and_stays(tmp_path: Path):
    first, second = load(data_dir=tmp_path).secret(), load(data_dir=tmp_path).secret()
    assert first == second
    assert len(first) >= 32
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_settings_do_not_print_secrets():
    assert LONG not in repr(load(secret_key=LONG, admin_password=LONG))


def test_the_key_ring_makes_one_first_key_and_the_newest_signs(tmp_path: Path):
    first = keyring.ensure(tmp_path).active_kid
    assert keyring.ensure(tmp_path).active_kid == first
    (tmp_path / f"{first}.pem").rename(tmp_path / "20200101000000-old.pem")
    newest = keyring.create(tmp_path)
    ring = keyring.load(tmp_path)
    assert ring.active_kid == newest
    assert [key["kid"] for key in ring.jwks()["keys"]] == ["20200101000000-old", newest]


def test_keys_are_private(tmp_path: Path):
    kid = keyring.create(tmp_path)
    assert (tmp_path / f"{kid}.pem").stat().st_mode & 0o077 == 0


def test_a_published_key_has_no_private_part(tmp_path: Path):
    (key,) = keyring.ensure(tmp_path).jwks()["keys"]
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}


def test_a_file_that_is_no_key_is_named(tmp_path: Path):
    (tmp_path / "broken.pem").write_text("not a key")
    with pytest.raises(Misconfigured, match=r"broken\.pem"):
        keyring.load(tmp_path)


def test_no_key_is_one_sentence_with_the_way_out(tmp_path: Path):
    with pytest.raises(Misconfigured, match="taskmanager keys create"):
        keyring.load(tmp_path)


def test_a_secret_may_be_a_file(monkeypatch, tmp_path):
    from config import settings

    monkeypatch.setattr(settings, "SECRETS", tmp_path)
    (tmp_path / "taskmanager_metrics_token").write_text("of a file\n")
    assert settings.load().metrics_token.get_secret_value() == "of a file"
    monkeypatch.setenv("TASKMANAGER_METRICS_TOKEN", "of the environment")
    assert settings.load().metrics_token.get_secret_value() == "of the environment"
