"""Backup and restore: what was acknowledged before is there afterwards, logins and links work, the books fit."""

import io
import os
import re
import threading
import time

import pytest

from migrations import runner
from taskmanager.app import create_app, prepare
from taskmanager.core.events.log import Event
from taskmanager.core.servers import backups
from taskmanager.core.storage import database
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories.things import PASSWORD
from tests import forked
from tests.scene import Scene
from tests.terminal import invoke
from tests.workers.operations.test_commands_of_operators import NAMES, printed
from workers.operations import archive
from workers.operations.verify import CHECKS, verify

COUNTS = {"all_closed": 1}
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def elsewhere(app, settings, tmp_path):
    """The settings of an empty installation on the same servers; those of the tests are effective again afterwards."""
    name = f"{database.database().name}_restored"
    uri = re.sub(r"(?<=/)[\w-]+(?=\?)", lambda match: f"{match.group()}_restored", settings.mongodb_uri)
    yield settings.model_copy(update={"mongodb_uri": uri, "data_dir": tmp_path / "elsewhere"})
    database.client().drop_database(name)


@pytest.fixture
def command(settings, monkeypatch, tmp_path):
    """Run a command with the settings."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")

    def run(chosen, *words):
        for name in NAMES:
            monkeypatch.setenv(f"TASKMANAGER_{name.upper()}", str(getattr(chosen, name)))
        return invoke(*(word.replace("PASSPHRASE", str(passphrase)) for word in words))

    yield run
    prepare(settings)


def test_a_backup_under_load_is_restored_elsewhere(scene, settings, elsewhere, command, tmp_path, client):
    upload = {"file": (io.BytesIO(b"content" * 50_000), "a.txt")}
    made = scene.owner.post(f"{scene.task_path}/attachments", data=upload, content_type="multipart/form-data")
    assert made.status_code == 201
    acknowledged, over = [], threading.Event()

    def load():
        while not over.is_set():
            answer = scene.owner.post(scene.tasks_path, json={"title": "under load"})
            if answer.status_code == 201:
                acknowledged.append(answer.json["id"])

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 30:
        time.sleep(0.01)
    before = list(acknowledged)
    file = tmp_path / "backup.tar.gz"
    command(settings, "--help")  # sets the environment; in this process the command would end the load's connections
    words = ["backup", str(file), "--passphrase-file", str(tmp_path / "passphrase"), "--json"]
    ran = forked.run(["-m", "workers.cli", *words], environment=dict(os.environ))
    over.set()
    for thread in threads:
        thread.join()
    assert ran.returncode == 0, ran.stderr
    assert printed(ran)["documents"] > len(before)
    assert file.stat().st_mode & 0o777 == 0o600 and backups.last_at() is not None
    prepare(settings)
    assert len(acknowledged) > len(before), "it was no backup under load"

    ran = command(elsewhere, "restore", str(file), "--passphrase-file", "PASSPHRASE", "--json")
    assert ran.exit_code == 0, ran.output
    assert printed(ran) == {name: [] for name in CHECKS}
    restored = create_app(elsewhere)
    assert runner.state(database.database()).pending == []
    kept = {str(task.id) for task in Task.objects}
    assert set(before) <= kept
    created = Event.objects(kind="task.created", subject_id__in=before)
    assert created.count() == len(before)  # each task with its event
    owner = restored.test_client()
    login = {"email": scene.owner.user.email, "password": PASSWORD}
    token = owner.post("/api/v1/auth/login", json=login).json["access_token"]
    content = owner.get(f"{made.headers['Location']}/content", headers={"Authorization": f"Bearer {token}"})
    assert (content.status_code, content.data) == (200, b"content" * 50_000)
    former = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
    assert owner.get(scene.task_path, headers=former).status_code == 200  # signed by a key of the backup
    again = command(elsewhere, "restore", str(file), "--passphrase-file", "PASSPHRASE")
    assert again.exit_code == 1 and "not empty" in again.stderr


def test_indexes_are_restored_as_the_migrations_make_them(app, settings, elsewhere, command, tmp_path):
    expected = {name: set(database.database()[name].index_information()) for name in ("tasks", "events", "sessions")}
    file = tmp_path / "b.tar.gz"
    assert command(settings, "backup", str(file), "--without-keys").exit_code == 0
    assert command(elsewhere, "restore", str(file)).exit_code == 0
    prepare(elsewhere)
    assert {name: set(database.database()[name].index_information()) for name in expected} == expected


def test_what_is_no_complete_backup_changes_nothing(app, settings, elsewhere, command, tmp_path):
    file = tmp_path / "b.tar.gz"
    assert command(settings, "backup", str(file), "--passphrase-file", "PASSPHRASE").exit_code == 0
    whole = file.read_bytes()
    refused = {"nothing.gz": b"", "half.gz": whole[: len(whole) // 2], "text.gz": b"no backup" * 100}
    for name, content in refused.items():
        (tmp_path / name).write_bytes(content)
        ran = command(elsewhere, "restore", str(tmp_path / name))
        assert ran.exit_code == 1 and len(ran.stderr.splitlines()) == 1, ran.output
    wrong = tmp_path / "wrong"
    wrong.write_text("another passphrase")
    ran = command(elsewhere, "restore", str(file), "--passphrase-file", str(wrong))
    assert ran.exit_code == 1 and "does not open" in ran.stderr
    prepare(elsewhere)
    assert database.database().list_collection_names() == []


def test_keys_are_left_out_by_choice_only(app, settings, command, tmp_path):
    file = tmp_path / "b.tar.gz"
    assert command(settings, "backup", str(file)).exit_code == 2
    assert command(settings, "backup", str(file), "--without-keys").exit_code == 0
    names = [name for name, _ in archive.members(file)]
    assert "keys.encrypted" not in names and names[-1] == "manifest.json"
    assert command(settings, "backup", str(file), "--without-keys").exit_code == 1  # nothing is overwritten


@pytest.mark.parametrize("check", ["events", "counters", "counts", "tasks", "contents", "orphans"])
def test_verify_finds_what_was_broken(scene: Scene, check):
    collections = database.database()
    upload = {"file": (io.BytesIO(b"x"), "a.txt")}
    scene.owner.post(f"{scene.task_path}/attachments", data=upload, content_type="multipart/form-data")
    for title in ("a", "b", "c"):
        scene.owner.post(scene.tasks_path, json={"title": title})
    scene.owner.post(f"{scene.task_path}/comments", json={"body": "x"})
    assert verify()[check] == []
    stream = f"project:{scene.project.id}"
    breaking = {
        "events": lambda: collections.events.delete_one({"stream": stream, "kind": "task.created"}),
        "counters": lambda: collections.counters.update_one({"_id": stream}, {"$set": {"seq": 1}}),
        "counts": lambda: collections.task_counts.update_one({"week": None}, {"$inc": COUNTS}),
        "tasks": lambda: collections.projects.delete_one({"_id": scene.project.id}),
        "contents": lambda: collections["attachments.chunks"].delete_many({}),
        "orphans": lambda: collections.tasks.delete_one({"_id": scene.task.id}),
    }
    breaking[check]()
    assert verify()[check]
