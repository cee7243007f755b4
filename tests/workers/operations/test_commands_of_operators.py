"""Commands of operators: what they print, as text and as JSON, and how they end."""

import json

import pytest

from taskmanager.app import prepare
from taskmanager.core.storage import database
from taskmanager.features.users.models import Session, User
from taskmanager.testing.factories import UserFactory
from tests.faults.stack import eventually
from tests.terminal import invoke

# The settings that a command gets from its environment.
NAMES = (
    "mongodb_uri",
    "queue_url",
    "cache_url",
    "data_dir",
    "mail_url",
    "mongodb_timeout_ms",
    "redis_timeout_ms",
    "bcrypt_cost",
)


def printed(ran):
    """The JSON that a command has printed, after lines of the log of the test itself."""
    lines = ran.stdout.splitlines()
    start = next((number for number, line in enumerate(lines) if line in ("[", "{", "[]") or line.startswith('{"')), 0)
    return json.loads("\n".join(lines[start:]))


@pytest.fixture
def command(app, settings, monkeypatch):
    """Run a command with the settings of the tests."""
    for name in NAMES:
        monkeypatch.setenv(f"TASKMANAGER_{name.upper()}", str(getattr(settings, name)))
    yield invoke
    prepare(settings)


def test_the_doctor_says_what_is_missing_and_insecure(command):
    ran = command("doctor", "--json")
    by_key = {}
    for one in printed(ran):
        by_key.setdefault(one["check"], []).append(one)
    assert ran.exit_code == 1  # no worker runs
    assert any("TASKMANAGER_PUBLIC_URL" in one["output"] for one in by_key["settings:security"])
    assert {one.get("componentId") for one in by_key["versions:installed"]} >= {"taskmanager", "mongod"}
    assert status_of_indexes(command)["status"] == "pass"
    comments = database.database().comments
    name, index = next((name, index) for name, index in comments.index_information().items() if name != "_id_")
    comments.drop_index(name)
    try:
        indexes = status_of_indexes(command)
    finally:
        database.database().comments.create_index(index["key"], name=name)
    assert indexes["status"] == "fail" and f"comments.{name}" in indexes["output"]


def status_of_indexes(command):
    """What the doctor says once the database has answered in time: on a busy machine it warns that it did not."""
    found = []

    def is_known():
        found[:] = [one for one in printed(command("doctor", "--json")) if one["check"] == "database:indexes"]
        return "observedValue" in found[0]

    eventually(is_known, "what the doctor says of indexes")
    return found[0]


def test_routes_have_a_feature_and_a_service(command):
    rows = printed(command("routes", "--json"))
    known = {(row["method"], row["rule"]): row for row in rows}
    task = known["GET", "/api/v1/tasks/<objectid:task_id>"]
    assert (task["feature"], task["service"]) == ("tasks", "task")
    for rule in ("/", "/health/live", "/docs", "/docs/guide/", "/pages", "/pages/tasks/<objectid:task_id>"):
        assert (known["GET", rule]["feature"], known["GET", rule]["service"]) == ("api", "any"), rule
    assert known["POST", "/api/v1/auth/login"]["feature"] == "users"
    assert len(rows) > 100 and "/api/v1/auth/login" in command("routes").stdout


def test_stats_have_collections_and_projects(command, scene):
    found = printed(command("stats", "--json"))
    [tasks] = [row for row in found["collections"] if row["collection"] == "tasks"]
    assert tasks["documents"] == found["projects"][0]["tasks"] >= 1
    assert tasks["data_bytes"] > 0 and tasks["index_bytes"] > 0
    assert found["projects"][0]["key"] == scene.project.key
    assert "tasks" in command("stats").stdout


def test_a_mail_is_sent_at_once_or_said_why_not(command, mail, monkeypatch):
    ran = command("test-mail", "ada@example.com", "--json")
    assert (ran.exit_code, printed(ran)["sent"]) == (0, True)
    assert len(mail.to("ada@example.com")) == 1
    monkeypatch.setenv("TASKMANAGER_MAIL_URL", "smtp://127.0.0.1:1")
    ran = command("test-mail", "ada@example.com")
    assert ran.exit_code == 1 and "Error" in ran.stderr


def test_accounts_are_listed_and_found(command):
    for name in ("ada", "bob"):
        UserFactory.create(email=f"{name}@example.com", name=name.title())
    listed = printed(command("users", "list", "--json"))
    assert [row["email"] for row in listed] == ["ada@example.com", "bob@example.com"]
    assert [row["name"] for row in printed(command("users", "find", "bo", "--json"))] == ["Bob"]
    assert "@example.com" not in command("users", "list", "--role", "admin").stdout


def test_accounts_are_enabled_demoted_and_logged_out(command, caller):
    admins = [UserFactory.create(email=f"{name}@example.com", role="admin") for name in ("ada", "bob")]
    assert command("users", "demote", "ada@example.com").exit_code == 0
    assert User.objects(id=admins[0].id).first().role == "user"
    assert command("users", "demote", "bob@example.com").exit_code == 1  # the last one
    assert command("users", "disable", "ada@example.com").exit_code == 0
    assert command("users", "enable", "ada@example.com").exit_code == 0
    caller(admins[0])
    assert printed(command("sessions", "end", "ada@example.com", "--json")) == {"accounts": 1}
    assert Session.objects(user_id=admins[0].id).live().count() == 0
    caller(admins[0])
    assert printed(command("sessions", "end", "--all", "--json")) == {"accounts": 1}
    assert command("sessions", "end").exit_code == 2


def test_an_account_is_deleted_as_its_user_would(command, scene):
    keep, gone = UserFactory.create(email="keep@example.com", role="admin"), UserFactory.create(email="go@example.com")
    ran = command("users", "delete", "go@example.com", "--yes")
    assert ran.exit_code == 0, ran.output
    stored = User.objects(id=gone.id).first()
    assert stored.deleted_at and stored.email != "go@example.com"
    assert command("users", "delete", keep.email, "--yes").exit_code == 1  # the last administrator


def test_accounts_come_from_a_file_or_none_does(command, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text('email,name,role\nada@example.com,Ada,admin\nbob@example.com,"Bob, B.",\n', encoding="utf-8-sig")
    ran = command("users", "import", str(file), "--json")
    assert printed(ran) == {"lines": 2, "created": 2, "kept": 0}, ran.output
    assert User.objects(email="bob@example.com").first().name == "Bob, B."
    assert User.objects(email="ada@example.com").first().role == "admin"
    assert printed(command("users", "import", str(file), "--json"))["kept"] == 2
    file.write_text("email,name\ncarl@example.com,Carl\nno address,X\ncarl@example.com,Twin\n")
    ran = command("users", "import", str(file))
    assert ran.exit_code == 1 and [line.split(":")[0] for line in ran.stderr.splitlines()] == ["line 3", "line 4"]
    assert User.objects(email="carl@example.com").first() is None
    long = f"{'x' * 60}@{'.'.join(['y' * 60] * 4)}.example"
    file.write_text(
        f'email,name\n{long},A\na@example.com,\u200b\nb@localhost,B\nc@example.com,"C\x07"\nd@example.com,"D\nE"\n'
    )
    ran = command("users", "import", str(file))
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == [f"line {n}" for n in (2, 3, 4, 5, 7)], (
        ran.stderr
    )
    file.write_text("a;b\n")
    assert command("users", "import", str(file)).exit_code == 1
