"""Subtasks: where they may stand, what their parents tell, and the trash."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from taskmanager.core.errors import Conflict, Invalid
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory, actor_of
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}
TASKS = "/api/v1/tasks"


def make(scene, title, parent=None, **more):
    body = {"title": title, **more} | ({"parent_id": parent} if parent else {})
    answer = scene.owner.post(scene.tasks_path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def progress(scene, task_id):
    return scene.owner.get(f"{TASKS}/{task_id}").json["progress"]


def code(answer, status=422):
    problem = assert_problem(answer, status)
    return problem["errors"][0]["code"] if status == 422 else problem["code"]


def test_a_parent_tells_how_many_of_its_subtasks_are_done(scene):
    top = str(scene.task.id)
    before = scene.owner.get(scene.task_path).headers["ETag"]
    one, two, three = (make(scene, title, top) for title in ("one", "two", "three"))
    assert progress(scene, top) == {"total": 3, "done": 0}
    scene.owner.put(f"{TASKS}/{one}/completion", headers=ANY)
    patch(scene.owner, f"{TASKS}/{two}", {"status": "done"})
    patch(scene.owner, f"{TASKS}/{three}", {"status": "cancelled"})
    assert progress(scene, top) == {"total": 2, "done": 2}
    scene.owner.delete(f"{TASKS}/{one}/completion", headers=ANY)
    assert progress(scene, top) == {"total": 2, "done": 1}
    scene.owner.delete(f"{TASKS}/{two}", headers=ANY)
    assert progress(scene, top) == {"total": 1, "done": 0}
    scene.owner.post(f"{TASKS}/{two}/restore")
    assert progress(scene, top) == {"total": 2, "done": 1}
    patch(scene.owner, f"{TASKS}/{one}", {"parent_id": None})
    assert progress(scene, top) == {"total": 1, "done": 1}
    assert scene.owner.get(scene.task_path).headers["ETag"] != before
    assert [task["title"] for task in scene.owner.get(f"{scene.task_path}/subtasks").json["items"]] == ["two", "three"]


def test_parallel_completions_are_all_counted(scene):
    top = scene.task.id
    parts = [TaskFactory(project=scene.project, parent_id=top).id for _ in range(12)]
    actor = actor_of(scene.owner.user)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda part: tasks.complete(part, if_match=None, actor=actor), parts))
    assert progress(scene, top) == {"total": 12, "done": 12}


def test_subtasks_stand_in_their_project_and_at_most_five_deep(scene):
    chain = [str(scene.task.id)]
    for level in range(4):
        chain.append(make(scene, f"level {level}", chain[-1]))
    answer = scene.owner.post(scene.tasks_path, json={"title": "x", "parent_id": chain[-1]})
    assert code(answer) == "task.too_deep"
    other = make(scene, "other")
    below = make(scene, "below", other)
    assert code(patch(scene.owner, f"{TASKS}/{other}", {"parent_id": chain[-2]})) == "task.too_deep"
    assert patch(scene.owner, f"{TASKS}/{other}", {"parent_id": chain[-3]}).status_code == 200
    assert code(patch(scene.owner, f"{TASKS}/{chain[0]}", {"parent_id": below})) == "task.parent_cycle"
    assert code(patch(scene.owner, f"{TASKS}/{other}", {"parent_id": other})) == "task.parent_cycle"
    strange = TaskFactory(project=ProjectFactory(owner=scene.owner.user))
    assert code(patch(scene.owner, f"{TASKS}/{other}", {"parent_id": str(strange.id)})) == "task.parent_unknown"


def test_a_task_takes_its_subtasks_into_the_trash_and_back(scene):
    top = str(scene.task.id)
    part = make(scene, "part", top)
    deep, gone = make(scene, "deep", part), make(scene, "gone", part)
    scene.owner.delete(f"{TASKS}/{gone}", headers=ANY)
    assert scene.owner.delete(scene.task_path, headers=ANY).status_code == 204
    assert scene.owner.get(TASKS).json["items"] == []
    assert code(scene.owner.post(f"{TASKS}/{part}/restore"), 409) == "task.parent_in_trash"
    assert scene.owner.post(f"{TASKS}/{top}/restore").status_code == 200
    assert {task["id"] for task in scene.owner.get(TASKS).json["items"]} == {top, part, deep}
    assert (progress(scene, top), progress(scene, part)) == ({"total": 1, "done": 0}, {"total": 1, "done": 0})
    assert scene.owner.post(f"{TASKS}/{gone}/restore").json["parent_id"] == part


def test_a_part_whose_stored_position_is_lost_goes_along(scene):
    top = str(scene.task.id)
    parts = {make(scene, "part", top), make(scene, "other", top)}
    Task._get_collection().update_one({"title": "part"}, {"$unset": {"position": 1}})
    target = ProjectFactory(owner=scene.owner.user)
    assert scene.owner.post(f"{TASKS}/{top}/move", json={"project_id": str(target.id)}).status_code == 200
    assert {task["id"] for task in scene.owner.get(f"/api/v1/projects/{target.id}/tasks").json["items"]} == {
        top,
        *parts,
    }
    assert scene.owner.delete(scene.task_path, headers=ANY).status_code == 204


def test_a_part_that_is_purged_from_the_trash_is_no_longer_counted(scene):
    part = make(scene, "part", str(scene.task.id))
    scene.owner.delete(scene.task_path, headers=ANY)
    assert scene.owner.delete(f"/api/v1/trash/{part}", headers=ANY).status_code == 204
    scene.owner.post(f"{scene.task_path}/restore")
    assert progress(scene, scene.task.id) == {"total": 0, "done": 0}


def test_purging_a_task_purges_what_went_with_it(scene):
    part = make(scene, "part", str(scene.task.id))
    before = make(scene, "before", str(scene.task.id))
    scene.owner.delete(f"{TASKS}/{before}", headers=ANY)
    scene.owner.delete(scene.task_path, headers=ANY)
    assert scene.owner.delete(f"/api/v1/trash/{scene.task.id}", headers=ANY).status_code == 204
    assert Task.objects(id=part).count() == 0
    assert scene.owner.post(f"{TASKS}/{before}/restore").json["parent_id"] is None


def test_subtasks_are_read_by_those_who_see_the_task(scene):
    assert scene.member("viewer").get(f"{scene.task_path}/subtasks").status_code == 200
    assert_problem(scene.who("stranger").get(f"{scene.task_path}/subtasks"), 404)


@given(edits=st.lists(st.tuples(st.integers(0, 7), st.none() | st.integers(0, 7)), max_size=25))
@settings(max_examples=15)
def test_random_edits_make_no_circle_and_keep_every_count_right(scene, edits):
    Task.objects.delete()
    actor = actor_of(scene.owner.user)
    made = [TaskFactory(project=scene.project).id for _ in range(8)]
    for child, parent in edits:
        with suppress(Invalid):
            tasks.update(
                made[child], {"parent_id": None if parent is None else made[parent]}, if_match=None, actor=actor
            )
    check_tree(scene)


def check_tree(scene):
    rows = {task.id: task for task in Task.objects(project_id=scene.project.id)}
    for task in rows.values():
        depth, above = 1, task
        while above.parent_id:
            depth, above = depth + 1, rows[above.parent_id]
            assert depth <= 5
        children = [other for other in rows.values() if other.parent_id == task.id]
        assert (task.progress or {"total": 0})["total"] == len(children)


@pytest.mark.parametrize("attempt", range(3))
def test_parallel_edits_make_no_circle(scene, attempt):
    actor = actor_of(scene.owner.user)
    made = [TaskFactory(project=scene.project).id for _ in range(3)]

    def put(pair):
        with suppress(Invalid, Conflict):
            tasks.update(made[pair[0]], {"parent_id": made[pair[1]]}, if_match=None, actor=actor)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(put, [(0, 1), (1, 2), (2, 0)]))
    check_tree(scene)
