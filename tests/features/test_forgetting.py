"""A task that is purged leaves nothing of what people wrote in it, in no collection, store or file."""

from datetime import timedelta
from pathlib import Path

import pytest
from bson import encode

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as settings_module
from taskmanager.core.events import erasure
from taskmanager.core.events.log import Event
from taskmanager.core.servers.stores import cache_store, queue_store
from taskmanager.core.storage import database
from taskmanager.features.notifications.channels.base import Message
from taskmanager.features.notifications.channels.in_app import InAppChannel
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.models import Delivery, Notification
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.trash import listeners
from taskmanager.features.webhooks import service as webhooks
from taskmanager.features.webhooks.models import Body
from tests.features.files import attach
from tests.features.webhooks.conftest import _receiver, again, hook, receiver  # noqa: F401 fixtures
from tests.scene import patch

ANY = {"If-Match": "*"}
CANARY = "kanarienvogel"
# What search keeps of words, and what differs in case.
FORMS = (CANARY.encode(), CANARY.upper().encode(), CANARY.title().encode())


def found_in(value):
    return any(form in value for form in FORMS)


def places(folder: Path):
    """Every place where the canary stands: collections, keys of both stores, files."""
    found = set()
    base = database.database()
    for name in base.list_collection_names():
        found |= {name for row in base[name].find() if found_in(encode(row))}
    for store in (queue_store(), cache_store()):
        for key in store.scan_iter():
            if found_in(key) or found_in(store.dump(key)):
                found.add(key.decode())
    return found | {str(path) for path in folder.rglob("*") if path.is_file() and found_in(path.read_bytes())}


@pytest.fixture(params=["gridfs", "folder"])
def files(request, scene, receiver, settings, tmp_path):  # noqa: F811
    """Where contents are kept; webhooks reach the receiver."""
    changes = {"attachment_store": request.param, "attachment_folder": tmp_path}
    settings_module.use(settings_module.current().model_copy(update=changes))
    return tmp_path


def written(scene):
    """A task that has the canary wherever there is room for words, and went through all that stores them."""
    owner, member = scene.owner, scene.member()
    owner.post(f"{scene.project_path}/custom-fields", json={"key": "note", "name": "Note", "type": "text"})
    text = f"{CANARY} +{member.user.email}"
    made = owner.post("/api/v1/tasks/quick", json={"text": text, "project_id": str(scene.project.id)})
    assert made.status_code == 201, made.text
    path = f"/api/v1/tasks/{made.json['task']['id']}"
    body = {"title": f"The {CANARY}", "description": CANARY, "custom_fields": {"note": CANARY}}
    body |= {"assignee_ids": [str(member.user.id)], "due": (now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%MZ")}
    assert patch(owner, path, body).status_code == 200
    patch(owner, path, {"title": f"{CANARY} sings", "description": f"{CANARY} " * 40, "custom_fields": {"note": "x"}})
    comment = owner.post(f"{path}/comments", json={"text": f"{CANARY} @{member.user.email}"}).json
    one = f"{path}/comments/{comment['id']}"
    patch(member, one, {"text": "no"})
    assert patch(owner, one, {"text": f"{CANARY} again"}).status_code == 200
    member.put(f"{one}/reactions/👍", headers=ANY)
    other = owner.post(f"{path}/comments", json={"text": f"{CANARY} deleted"}).json
    assert owner.delete(f"{path}/comments/{other['id']}", headers=ANY).status_code == 204
    key = {"Idempotency-Key": CANARY}
    assert attach(member, path, CANARY.encode(), f"{CANARY}.txt", **key).status_code == 201
    gone = attach(owner, path, CANARY.encode() * 9, f"{CANARY}-2.txt").json
    assert owner.delete(f"{path}/attachments/{gone['id']}", headers=ANY).status_code == 204
    related = {"kind": "blocks", "task_id": str(scene.task.id)}
    assert owner.post(f"{path}/relations", json=related).status_code == 201
    part = owner.post(
        scene.tasks_path, json={"title": f"{CANARY} part", "parent_id": path.rpartition("/")[2]}, headers=key
    )
    assert part.status_code == 201, part.text
    soon = {"at": (now() + timedelta(hours=1)).isoformat()}
    assert member.post(f"{path}/reminders", json=soon).status_code == 201
    return path


def told(deliver, again):  # noqa: F811
    """Let the reminder fire, and all that is to be told be told."""
    deliver()
    Reminder.objects.update(set__fire_at=now())
    assert reminders.fire_due() == 1
    deliver()
    again()


def purge(scene, path):
    assert scene.owner.delete(path, headers=ANY).status_code == 204
    assert scene.owner.delete(f"/api/v1/trash/{path.rpartition('/')[2]}", headers=ANY).status_code == 204


def test_a_purged_task_is_nowhere(scene, hook, files, deliver, again, mail):  # noqa: F811
    hook("/ok")
    hook("/echo", own=True, events=["comment.*"])
    path = written(scene)
    told(deliver, again)
    before = places(files)
    assert {"tasks", "comments", "attachments", "events", "webhook_bodies", "notifications"} <= before
    assert "deliveries" in before and found_in(b"".join(mail.raw))
    purge(scene, path)
    deliver()
    assert places(files) == set()
    task_id = path.rpartition("/")[2]
    kinds = list(Event.objects(subject_id=task_id, forgotten=None).scalar("kind"))
    assert kinds == ["task.purged"]
    assert Event.objects(kind="task.purged", subject_id=task_id).get().audited


def test_what_waits_for_a_listener_is_told_without_words(scene, hook, receiver, deliver):  # noqa: F811
    """What is purged before anybody was told is told, in its order, and nothing of what it said."""
    hook("/ok")
    path = written(scene)
    purge(scene, path)
    task_id = path.rpartition("/")[2]
    Event.objects(subject_id=task_id, kind__ne="task.purged").count()
    assert erasure.erase_subjects(Task.id.to_python(task_id))
    deliver()
    sent = b"".join(request.body for request in receiver.received)
    assert b"task.purged" in sent and task_id.encode() in sent
    assert not found_in(sent)


def test_what_is_made_while_a_task_is_forgotten_goes_too(scene, hook, receiver, deliver):  # noqa: F811
    """A job that has read an event before it was forgotten stores nothing of it."""
    hook("/ok")
    patch(scene.owner, scene.task_path, {"title": CANARY})
    event = Event.objects(subject_id=scene.task.id).order_by("-seq").first()
    Task.objects(id=scene.task.id).delete()
    assert erasure.erase_subjects(scene.task.id)
    webhooks.notify(event)
    assert str(event.id) in Body.objects.get().text
    assert not found_in(Body.objects.get().text.encode())


def test_what_is_told_while_a_task_is_forgotten_goes_too(scene):
    member = scene.member()
    patch(scene.owner, scene.task_path, {"title": CANARY, "assignee_ids": [str(member.user.id)]})
    event = Event.objects(subject_id=scene.task.id).order_by("-seq").first()
    (notice, *_) = notices.write_notices(event, member.user.id)
    assert erasure.erase_subjects(scene.task.id)
    delivery = Delivery(event_id=event.id, channel="in_app", recipient_id=member.user.id)
    InAppChannel().send(Message(delivery, [notice]))
    assert not Notification.objects


def test_a_deleted_comment_is_nowhere(scene, hook, files, deliver):  # noqa: F811
    hook("/ok")
    member = scene.member()
    one = scene.owner.post(f"{scene.task_path}/comments", json={"text": f"{CANARY} @{member.user.email}"}).json
    deliver()
    assert {"comments", "webhook_bodies", "notifications"} <= places(files)
    assert scene.owner.delete(f"{scene.task_path}/comments/{one['id']}", headers=ANY).status_code == 204
    deliver()
    assert places(files) == set()


def test_a_stream_is_forgotten_whole_but_for_its_audited_events(scene, deliver):
    member = scene.member()
    patch(scene.owner, scene.task_path, {"title": CANARY})
    patch(scene.owner, scene.project_path, {"name": CANARY})
    deliver()
    stream = f"project:{scene.project.id}"
    audited = Event.objects(stream=stream, audited=True).count()
    assert erasure.erase_stream(stream)
    assert Event.objects(stream=stream).count() == audited
    assert not Notification.objects(user_id=member.user.id)


def test_after_its_days_too(scene, deliver, files):
    patch(scene.owner, scene.task_path, {"description": CANARY})
    scene.owner.delete(scene.task_path, headers=ANY)
    deliver()
    Task.objects(id=scene.task.id).update(set__deleted_at=now() - timedelta(days=31))
    listeners.empty_trash()
    deliver()
    assert places(files) == set()
