"""The trash: what was deleted comes back as it was, or is gone for good."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.core.events.log import Event
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.trash import listeners, purging
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from taskmanager.testing.factories.actors import actor_of
from tests.features.files import attach
from tests.problems import assert_problem

TRASH = "/api/v1/trash"
ANY = {"If-Match": "*"}


def delete(scene, path=None):
    assert scene.owner.delete(path or scene.task_path, headers=ANY).status_code == 204


def in_trash(client, **query):
    return [task["title"] for task in client.get(TRASH, query_string=query).json["items"]]


def kinds(task_id):
    return list(Event.objects(subject_id=task_id).order_by("seq").scalar("kind"))


def test_a_deleted_task_is_in_the_trash_and_nowhere_else(scene):
    delete(scene)
    assert in_trash(scene.owner) == ["Write the notes"]
    assert scene.owner.get(TRASH).json["items"][0]["deleted_at"]
    assert scene.owner.get(scene.task_path).status_code == 404
    assert scene.owner.get(scene.tasks_path).json["items"] == []


def test_a_restored_task_is_as_it_was(scene):
    before = scene.owner.get(scene.task_path).json
    delete(scene)
    answer = scene.owner.post(f"{scene.task_path}/restore")
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{answer.json["revision"]}"'
    changed = {"revision", "updated_at"}
    assert {k: v for k, v in answer.json.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    assert (in_trash(scene.owner), scene.owner.get(scene.task_path).json) == ([], answer.json)
    assert kinds(scene.task.id)[-2:] == ["task.deleted", "task.restored"]


def test_restoring_what_is_not_in_the_trash_changes_nothing(scene):
    answer = scene.owner.post(f"{scene.task_path}/restore")
    assert (answer.status_code, answer.json["revision"]) == (200, 1)
    assert kinds(scene.task.id) == ["task.created"]


def test_many_who_restore_at_once_restore_once(scene):
    delete(scene)
    with ThreadPoolExecutor(8) as pool:
        posts = [
            pool.submit(scene.app.test_client().post, f"{scene.task_path}/restore", headers=dict(bearer(scene.owner)))
            for _ in range(8)
        ]
    assert {post.result().status_code for post in posts} <= {200, 412}
    assert kinds(scene.task.id).count("task.restored") == 1


def bearer(client):
    return {"Authorization": client.environ_base["HTTP_AUTHORIZATION"]}


def test_who_cannot_restore_does_not_see_the_trash(scene):
    viewer, stranger = scene.member("viewer"), scene.who("stranger")
    delete(scene)
    for user in (viewer, scene.member("commenter"), stranger):
        assert in_trash(user) == []
        assert_problem(user.post(f"{scene.task_path}/restore"), 404)
        assert_problem(user.delete(f"{TRASH}/{scene.task.id}", headers=ANY), 404)
    assert in_trash(scene.member("member")) == ["Write the notes"]


def test_the_trash_of_a_deleted_project_belongs_to_no_one(scene):
    delete(scene)
    delete(scene, scene.project_path)
    assert in_trash(scene.owner) == []
    assert_problem(scene.owner.post(f"{scene.task_path}/restore"), 404)


def test_a_purged_task_is_gone_and_its_key_is_not_given_again(scene):
    delete(scene)
    path = f"{TRASH}/{scene.task.id}"
    assert_problem(scene.owner.delete(path), 428)
    assert_problem(scene.owner.delete(path, headers={"If-Match": '"1"'}), 412)
    assert_problem(scene.member("member").delete(path, headers=ANY), 403)
    assert scene.owner.delete(path, headers=ANY).status_code == 204
    assert_problem(scene.owner.delete(path, headers=ANY), 404)
    assert_problem(scene.owner.post(f"{scene.task_path}/restore"), 404)
    assert scene.owner.post(scene.tasks_path, json={"title": "Next"}).json["key"] != scene.task.key
    assert kinds(scene.task.id)[-1] == "task.purged"


def test_what_is_not_in_the_trash_is_not_purged(scene):
    assert_problem(scene.owner.delete(f"{TRASH}/{scene.task.id}", headers=ANY), 404)
    assert scene.owner.get(scene.task_path).status_code == 200


def test_after_its_days_a_task_is_purged(scene):
    recent = TaskFactory(project=scene.project, title="Recent")
    for task, days in ((scene.task, 30), (recent, 29)):
        delete(scene, f"/api/v1/tasks/{task.id}")
        Task.objects(id=task.id).update(set__deleted_at=now() - timedelta(days=days, minutes=1))
    listeners.empty_trash()
    assert in_trash(scene.owner) == ["Recent"]
    assert kinds(scene.task.id)[-1] == "task.purged"
    assert Event.objects(subject_id=scene.task.id, kind="task.purged").first().actor_id is None


@pytest.mark.parametrize("sort", ["deleted_at", "-deleted_at"])
def test_pages_of_the_trash_hold_each_task_once_and_read_no_more(scene, sort):
    delete(scene)
    other = ProjectFactory(owner=scene.owner.user)
    for number in range(9):
        task = TaskFactory(project=scene.project if number % 2 else other, title=f"{number}")
        Task.objects(id=task.id).update(set__deleted_at=now() + timedelta(minutes=number + 1))
    TaskFactory(project=scene.project, title="Alive")
    wanted = ["Write the notes", *(f"{number}" for number in range(9))]
    seen, cursor = [], {}
    while cursor is not None:
        page = scene.owner.get(TRASH, query_string={"sort": sort, "limit": 2} | cursor).json
        seen += [task["title"] for task in page["items"]]
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    assert seen == (wanted[::-1] if sort.startswith("-") else wanted)


@pytest.mark.parametrize("sort", [1, -1])
def test_the_trash_is_read_from_its_index(scene, sort):
    query = {"project_id": {"$in": [scene.project.id]}, "deleted_at": {"$exists": True}}
    found = Task._get_collection().find(query, sort=[("deleted_at", sort), ("_id", sort)])
    plan = str(found.explain()["queryPlanner"]["winningPlan"])
    assert "trash_of_project" in plan
    assert "'SORT'" not in plan
    assert "COLLSCAN" not in plan


def test_a_task_is_found_by_its_key_whatever_the_case(scene):
    for key in (scene.task.key, scene.task.key.lower()):
        answer = scene.owner.get(f"/api/v1/tasks/by-key/{key}", query_string={"fields": "id,title"})
        assert answer.json == {"id": str(scene.task.id), "title": "Write the notes"}
    assert_problem(scene.who("stranger").get(f"/api/v1/tasks/by-key/{scene.task.key}"), 404)
    assert_problem(scene.owner.get("/api/v1/tasks/by-key/NONE-1"), 404)


def tree(scene, *, width):
    """Put a task into the trash with a chain of two subtasks and `width` more below it; answers their ids."""
    ids = [scene.task.id]
    for parent in (0, 1, *[0] * width):
        ids.append(TaskFactory(project=scene.project, parent_id=ids[parent]).id)
    delete(scene)
    return ids


def test_a_purged_tree_goes_from_below_each_task_in_a_transaction(scene, commands):
    ids = tree(scene, width=3)
    with commands.counted() as sent:
        assert scene.owner.delete(f"{TRASH}/{scene.task.id}", headers=ANY).status_code == 204
        listeners.empty_trash()  # what the request had no time for
    assert sent.count("commitTransaction") == 1 + len(ids)
    order = list(Event.objects(kind="task.purged").order_by("seq").scalar("subject_id"))
    assert set(order) == set(ids)
    assert order.index(ids[2]) < order.index(ids[1]) < order.index(ids[0]) == len(ids) - 1
    assert Project.objects.get(id=scene.project.id).task_count == 0


def test_a_purge_that_was_interrupted_is_finished_and_cannot_be_taken_back(scene):
    ids = tree(scene, width=3)
    task = purging.begin(Task.objects.get(id=scene.task.id), actor_of(scene.owner.user))
    assert purging.purge_tree(task, None, deadline=0) is False
    purging.purge_tree(Task.objects.get(id=ids[-1]), None, deadline=time.monotonic() + 60)
    assert scene.task.title not in in_trash(scene.owner)
    assert_problem(scene.owner.post(f"{scene.task_path}/restore"), 404)
    listeners.empty_trash()
    assert not Task.objects
    assert kinds(scene.task.id)[-1] == "task.purged"
    assert set(Event.objects(kind="task.purged").scalar("actor_id")) == {scene.owner.user.id}


def test_what_is_restored_beside_a_purge_below_it_leaves_out_what_the_purge_takes(scene):
    top, middle, lowest, other = tree(scene, width=1)
    Comment(task_id=lowest, author_id=scene.owner.user.id, text="Old").save(force_insert=True)
    Comment(task_id=other, author_id=scene.owner.user.id, text="Kept").save(force_insert=True)
    marked = purging.begin(Task.objects.get(id=middle), actor_of(scene.owner.user))
    assert scene.owner.post(f"{scene.task_path}/restore").status_code == 200
    for task_id in (middle, lowest):
        assert_problem(scene.owner.get(f"/api/v1/tasks/{task_id}"), 404)
    assert purging.purge_tree(marked, None, deadline=time.monotonic() + 60)
    assert set(Task.objects.scalar("id")) == {top, other}
    assert list(Comment.objects.scalar("text")) == ["Kept"]


def test_a_task_whose_purge_fails_holds_up_no_other(scene):
    good = TaskFactory(project=scene.project, title="Good")
    assert attach(scene.owner, scene.task_path).status_code == 201
    Attachment._get_collection().update_one({"task_id": scene.task.id}, {"$set": {"size": "many"}})
    for task in (scene.task, good):
        delete(scene, f"/api/v1/tasks/{task.id}")
        Task.objects(id=task.id).update(set__deleted_at=now() - timedelta(days=31))
    listeners.empty_trash()
    assert list(Task.objects.scalar("id")) == [scene.task.id]
    assert Task.objects.get(id=scene.task.id).purge_after > now()


def test_a_subtask_that_is_purged_takes_along_what_is_below_it(scene):
    _, middle, lowest, other = tree(scene, width=1)
    assert scene.owner.delete(f"{TRASH}/{middle}", headers=ANY).status_code == 204
    assert not Task.objects(id__in=[middle, lowest])
    assert Task.objects.get(id=scene.task.id).progress == {"total": 1, "done": 0}
    assert scene.owner.post(f"{scene.task_path}/restore").status_code == 200
    assert [row["id"] for row in scene.owner.get(f"{scene.task_path}/subtasks").json["items"]] == [str(other)]
