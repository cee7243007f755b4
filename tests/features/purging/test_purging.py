"""A purged project leaves nothing behind, however often its purge is interrupted, and takes nothing else along."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from math import inf

import pytest
from bson import encode

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as settings_module
from taskmanager.core.errors import NotFound
from taskmanager.core.events.log import Event
from taskmanager.core.storage.database import database
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments import service as comments
from taskmanager.features.comments.models import Comment
from taskmanager.features.projects.models import Project
from taskmanager.features.purging import listeners, service as purging
from taskmanager.features.purging.steps import STEPS
from taskmanager.features.tasks.models import Task
from taskmanager.features.trash.purging import MAX_DOCUMENTS, delete_tasks, purge_of_project
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.factories import ProjectFactory
from taskmanager.testing.factories.actors import actor_of
from taskmanager.testing.factories.things import task_row
from tests.features.files import attach
from tests.features.purging.conftest import ANY, contents, naming
from tests.problems import assert_problem
from tests.scene import patch

# What is kept of a purged project, each for its time: the log, and answers to repeated requests.
KEPT = {"events", "counters", "idempotency_keys"}
# Not of projects: what the service notes of itself, and of accounts.
OTHERS = {"emptied", "schedules", "mail_counts", "locks", "walks", "leases"}


def purged(everything):
    everything.delete()
    everything.begin_purge()
    assert purging.continue_purge(everything.project.id, seconds=inf)


def test_the_scene_has_something_in_every_collection_that_a_purge_empties(everything):
    new = {name for name, item_id in contents().keys() - everything.before.keys()}
    assert {model._get_collection_name() for step in STEPS for model in step.models} <= new | {"webhook_bodies"}
    assert {"webhook_bodies", "attachments.chunks", "locks"} <= new


def test_nothing_of_a_purged_project_is_left_and_nothing_else_is_gone(everything):
    ids = [everything.project.id, *Task.objects(project_id=everything.project.id).scalar("id")]
    ids += Webhook.objects(project_id=everything.project.id).scalar("id")
    purged(everything)
    after = contents()
    assert everything.before.keys() - after.keys() == set()
    new = [(name, row) for (name, item_id), row in after.items() if (name, item_id) not in everything.before]
    assert [(name, row) for name, row in new if name not in KEPT | OTHERS and not is_mail_to_account(row)] == []
    assert [naming(item_id) - KEPT for item_id in ids] == [set()] * len(ids)
    assert everything.is_gone()


def test_nothing_that_people_wrote_is_left(everything, deliver):
    """Neither in the log of the project, nor in that of another where a task of it was before."""
    word = "kanarienvogel"
    made = everything.post(f"/api/v1/projects/{everything.kept.id}/tasks", {"title": word})
    everything.post(f"/api/v1/tasks/{made['id']}/move", {"project_id": str(everything.project.id)})
    patch(everything.owner, f"/api/v1/tasks/{everything.task['id']}", {"description": word, "title": f"The {word}"})
    patch(everything.owner, everything.path, {"description": word})
    deliver()
    assert {"tasks", "events", "projects"} <= naming_word(word)
    purged(everything)
    deliver()
    assert naming_word(word) == set()
    stream = f"project:{everything.project.id}"
    assert not Event.objects(stream=stream, audited=None)
    assert Event.objects(stream=stream, kind="project.purged").count() == 1


def naming_word(word):
    return {name for (name, _), row in contents().items() if word.encode() in encode(row)}


def test_bodies_of_webhooks_whose_deliveries_have_ended_tell_no_text(everything, deliver):
    assert "Assigned" in str(database()["webhook_bodies"].distinct("text"))
    database()["deliveries"].delete_many({})
    purged(everything)
    deliver()
    assert "Assigned" not in str(list(database()["webhook_bodies"].find()))


def test_a_task_that_was_moved_away_meanwhile_is_not_purged(everything):
    task_id = Task.objects(key=everything.task["key"]).get().id
    Task.objects(id=task_id).update(set__project_id=everything.kept.id)
    delete_tasks(everything.project.id, [task_id])
    assert Task.objects(id=task_id)


def test_no_text_of_a_purged_project_is_left_in_the_log_or_elsewhere(everything, deliver):
    texts = [f"'{text}'" for text in ("Assigned", "Part", "Trashed", "Trashed part", "urgent", "Ours")]
    held = str(contents())
    assert [text for text in texts if text not in held] == []
    purged(everything)
    deliver()
    assert [text for text in texts if text in str(contents())] == []


def is_mail_to_account(row):
    """Of a token that was made: it is about the account, not about a project."""
    event = Event.objects(id=row.get("event_id")).first()
    return event is not None and event.kind == "token.created"


def test_what_a_purge_frees_counts_no_more(everything):
    used = {user.id: user.attachment_bytes for user in User.objects}
    assert sorted(used[client.user.id] for client in (everything.owner, everything.member)) == [4, 13]
    purged(everything)
    bytes_of = dict(User.objects.scalar("id", "attachment_bytes"))
    assert (bytes_of[everything.owner.user.id], bytes_of[everything.member.user.id]) == (5, 0)
    usage = everything.owner.get("/api/v1/users/me").json["quotas"]["projects"]["used"]
    assert usage == 2  # that of the scene, and the one that stays


def test_files_in_a_folder_are_gone(scene, settings, tmp_path):
    settings_module.use(settings.model_copy(update={"attachment_store": "folder", "attachment_folder": tmp_path}))
    try:
        assert attach(scene.owner, scene.task_path).status_code == 201
        assert len(files(tmp_path)) == 1
        _purge(scene)
        assert files(tmp_path) == []
    finally:
        settings_module.use(settings)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def _purge(scene):
    _begin(scene)
    assert purging.continue_purge(scene.project.id, seconds=inf)


def _begin(scene):
    assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    assert scene.owner.delete(f"/api/v1/trash/projects/{scene.project.id}", headers=ANY).status_code == 204


def test_a_purge_that_ends_after_each_part_is_done_in_the_end(everything):
    """Each round does one part and is over; the project goes last."""
    everything.delete()
    everything.begin_purge()
    rounds = 0
    while not purging.continue_purge(everything.project.id, seconds=0):
        assert not everything.is_gone()
        rounds += 1
    assert rounds >= len(STEPS) - 1
    assert naming(everything.project.id) <= KEPT


def test_each_step_may_run_again_although_it_has_ended(everything):
    everything.delete()
    everything.begin_purge()
    for step in STEPS:
        while step.purge(everything.project.id):
            pass
        assert step.purge(everything.project.id) == 0
    assert purging.continue_purge(everything.project.id, seconds=inf)
    assert purging.continue_purge(everything.project.id) is False
    assert User.objects.get(id=everything.member.user.id).attachment_bytes == 0


def test_two_that_purge_at_once_give_bytes_back_once(everything):
    everything.delete()
    everything.begin_purge()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: purging.continue_purge(everything.project.id, seconds=30), range(2)))
    while not everything.is_gone():
        purging.continue_purge(everything.project.id, seconds=30)
    assert User.objects.get(id=everything.owner.user.id).attachment_bytes == 5


def test_a_worker_begins_at_once(everything):
    everything.delete()
    everything.begin_purge()
    everything.deliver()
    assert everything.is_gone()


def test_what_is_in_the_trash_is_kept_until_its_days_are_over(scene):
    assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    listeners.purge_due()
    assert Task.objects(id=scene.task.id)
    Project.objects(id=scene.project.id).update(set__deleted_at=now() - timedelta(days=30, minutes=1))
    listeners.purge_due()
    assert not Task.objects(id=scene.task.id)
    assert not Project.objects(id=scene.project.id)
    assert_problem(scene.owner.post(f"{scene.project_path}/restore"), 404)


def test_what_is_not_marked_is_not_purged(scene):
    assert purging.continue_purge(scene.project.id) is False
    assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    assert purging.continue_purge(scene.project.id) is False
    assert scene.owner.post(f"{scene.project_path}/restore").status_code == 200
    assert scene.owner.get(scene.task_path).status_code == 200


@pytest.fixture
def deletions():
    """Answers how many documents each command deleted, by the profiler of the database."""
    database().command("profile", 2)
    yield lambda: [row["ndeleted"] for row in database()["system.profile"].find({"ndeleted": {"$gt": 0}})]
    database().command("profile", 0)
    database()["system.profile"].drop()


def test_no_command_of_a_purge_deletes_more_than_some_documents(scene, deletions):
    rows = [task_row(scene.project.id, key=f"{scene.project.key}-{number}") for number in range(100, 350)]
    Task.objects.insert(rows)
    author = scene.owner.user.id
    written = (Comment(task_id=rows[0].id, author_id=author, text="x") for _ in range(3 * MAX_DOCUMENTS))
    Comment.objects.insert(list(written))
    _purge(scene)
    assert not Comment.objects and not Task.objects
    found = deletions()
    assert sum(found) > 3 * MAX_DOCUMENTS + 250
    assert max(found) <= MAX_DOCUMENTS


def test_one_that_fails_holds_up_no_other(scene):
    other = ProjectFactory(owner=scene.owner.user)
    assert attach(scene.owner, scene.task_path).status_code == 201
    damage = Attachment._get_collection()
    damage.update_one({"task_id": scene.task.id}, {"$set": {"size": "many"}})
    _begin(scene)
    assert scene.owner.delete(f"/api/v1/projects/{other.id}", headers=ANY).status_code == 204
    assert scene.owner.delete(f"/api/v1/trash/projects/{other.id}", headers=ANY).status_code == 204
    assert purging.purge_due() == 1
    assert list(Project.objects.scalar("id")) == [scene.project.id]
    assert Project.objects.get(id=scene.project.id).purge_after > now()
    damage.update_one({"task_id": scene.task.id}, {"$set": {"size": 14}})
    Project.objects(id=scene.project.id).update(set__purge_after=now())
    assert purging.purge_due() == 1


def test_a_comment_that_is_being_written_meanwhile_is_refused(scene):
    """Its request began before the project was deleted, and commits after the task has gone."""
    writer, read, gone = actor_of(scene.owner.user), threading.Event(), threading.Event()
    _begin(scene)

    @unit_of_work
    def write():
        comments.create(scene.task.id, "Late", actor=writer)
        read.set()
        gone.wait(1)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert read.wait(30)
        assert purge_of_project(scene.project.id) == 1
        gone.set()
        assert isinstance(writing.exception(), NotFound)
    assert not Comment.objects


def test_a_comment_that_was_written_just_before_goes_with_its_task(scene):
    Comment(task_id=scene.task.id, author_id=scene.owner.user.id, text="Late").save(force_insert=True)
    delete_tasks(scene.project.id, [scene.task.id])
    assert not Comment.objects and not Task.objects


def test_the_log_keeps_what_is_audited_and_nothing_of_the_rest(everything):
    stream = f"project:{everything.project.id}"
    assert Event.objects(stream=stream, audited__ne=True)
    purged(everything)
    everything.deliver()
    assert purging.continue_purge(everything.project.id) is False
    kept = list(Event.objects(stream=stream))
    assert "project.purged" in {event.kind for event in kept}
    assert [event.kind for event in kept if not event.audited] == []
