"""Every command says what is wrong in one sentence, and help costs next to nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.storage import database
from tests.terminal import invoke
from workers.cli import main

ROOT = Path(__file__).parents[2]
PROCESSES = {
    "up",
    "web",
    "relay",
    "worker",
    "workers",
    "scheduler",
    "stream",
    "release",
}  # see test_fitness, test_release
WITHOUT_SERVERS = {
    "stop",
    "log-level",
    "doctor",
    "test-mail",
    "healthcheck",
    "openapi",
    "keys create",
    "keys rotate",
    "keys list",
    "plugins",
    "routes",
    "gateway render",
    "shard plan",
}
ID = "65f1c0ffee0123456789abcd"
COMMANDS = {
    "migrate": (),
    "migrate --check": (),
    "migrate --dry-run": (),
    "demo": (),
    "bootstrap-admin": (),
    "schedules": (),
    "events list": (),
    "events revive": (),
    "verify": (),
    "stats": (),
    "users delete": ("ada@example.com", "--yes"),
    "users list": (),
    "users find": ("ada",),
    "users enable": ("ada@example.com",),
    "users demote": ("ada@example.com",),
    "users import": (str(ROOT / "tests/workers/users.csv"),),
    "sessions end": ("--all",),
    "backup": ("/nowhere/backup.tar.gz", "--without-keys"),
    "restore": ("/nowhere/backup.tar.gz",),
    "users create": ("ada@example.com",),
    "users promote": ("ada@example.com",),
    "users disable": ("ada@example.com",),
    "users reset-password": ("ada@example.com",),
    "users reset-totp": ("ada@example.com",),
    "counters verify": (),
    "counters repair": (),
    "maintenance on": (),
    "maintenance off": (),
    "maintenance status": (),
    "message-of-the-day set": ("Hello.",),
    "message-of-the-day delete": (),
    "deliveries list": (),
    "deliveries show": (ID,),
    "deliveries replay": ("--all",),
    "deliveries purge": ("--yes",),
}
AWAY = {
    "database": {"MONGODB_URI": "mongodb://127.0.0.1:1/none?replicaSet=rs0", "MONGODB_TIMEOUT_MS": "200"},
    "stores": {"QUEUE_URL": "redis://127.0.0.1:1/0", "CACHE_URL": "redis://127.0.0.1:2/0"},
}


def leaves(group: click.Group = main, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        yield from leaves(command, f"{before}{name} ") if inner else [f"{before}{name}"]


def test_every_command_is_tried():
    tried = {" ".join(word for word in words.split() if not word.startswith("-")) for words in COMMANDS}
    assert set(leaves()) == tried | PROCESSES | WITHOUT_SERVERS


@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_away_is_one_sentence(monkeypatch, other_app, settings: Settings, words, away):
    values = {
        "MONGODB_URI": settings.mongodb_uri,
        "QUEUE_URL": settings.queue_url,
        "CACHE_URL": settings.cache_url,
        "DATA_DIR": str(settings.data_dir),
        "PORT": "1",  # where no service listens
        "ADMIN_PASSWORD": "Our-own-secret-1",
        "BCRYPT_COST": "4",
    }
    for name, value in {**values, **AWAY[away]}.items():
        monkeypatch.setenv(f"TASKMANAGER_{name}", value)
    database.disconnect()
    ran = invoke(*words.split(), *COMMANDS[words])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    assert "Traceback" not in ran.output
    needs_database = words != "demo"
    if away != "stores" or not needs_database:
        assert ran.exit_code == 1
        assert ran.stderr.startswith("Error: ") and len(ran.stderr.splitlines()) == 1, ran.output
    if away != "stores" and needs_database:
        assert "The database does not respond" in ran.stderr
    database.disconnect()


HEAVY = ("flask", "pymongo", "mongoengine", "bson", "redis", "rq", "pydantic", "marshmallow", "structlog", "jinja2",
         "requests", "authlib", "cryptography", "apprise", "gunicorn", "urllib.request", "ssl", "asyncio")  # fmt: skip


def test_help_imports_nothing_that_is_expensive():
    """Each help, and the check of health, in one process: what any of them imports is seen."""
    code = f"""
import sys
from workers.cli import main
for words in {["", *leaves()]!r}:
    main.main([*words.split(), "--help"], standalone_mode=False)
from workers.heartbeat import unhealthy
unhealthy("relay")
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
