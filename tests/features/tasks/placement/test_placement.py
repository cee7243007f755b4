"""Order by hand, moves to other projects, watchers."""

from collections import Counter as Counts
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from bson import ObjectId
from hypothesis import given, settings, strategies as st
from pymongo.errors import PyMongoError

from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.placement import service as placement
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.testing.factories import (
    MembershipFactory,
    ProjectFactory,
    TaskFactory,
    UserFactory,
    actor_of,
    task_row,
)
from tests.problems import assert_problem
from tests.scene import patch
from tests.web.counting import commands

ANY = {"If-Match": "*"}
TASKS = "/api/v1/tasks"


def order(scene):
    return [task["title"] for task in scene.owner.get(f"{scene.tasks_path}?sort=position").json["items"]]


def place(scene, task, **where):
    body = {name: value if isinstance(value, str) else str(value.id) for name, value in where.items()}
    return scene.owner.put(f"{TASKS}/{task.id}/position", json=body, headers=ANY)


@pytest.fixture
def abc(scene):
    Task.objects.delete()
    return [TaskFactory(project=scene.project, title=title) for title in "abc"]


def test_tasks_are_ordered_by_hand(scene, abc):
    a, b, c = abc
    assert order(scene) == ["a", "b", "c"]
    assert place(scene, c, before=a).status_code == 200
    assert order(scene) == ["c", "a", "b"]
    place(scene, c, after=a)
    assert order(scene) == ["a", "c", "b"]
    place(scene, a, at="last")
    assert order(scene) == ["c", "b", "a"]
    place(scene, b, at="first")
    place(scene, c, after=a)
    TaskFactory(project=scene.project, title="d")
    assert order(scene) == ["b", "a", "c", "d"]


def test_a_place_that_is_none_is_refused(scene, abc):
    a, b, _ = abc
    for where in (
        {},
        {"before": a, "after": b},
        {"kind": "after", "before": b},
        {"kind": "end"},
        {"at": "middle"},
        {"before": b, "at": "first"},
    ):
        assert_problem(place(scene, a, **where), 422)
    strange = TaskFactory(project=ProjectFactory(owner=scene.owner.user))
    for neighbour in (a, strange):
        assert assert_problem(place(scene, a, before=neighbour), 422)["errors"][0]["code"] == "task.neighbour_unknown"


def persistently(change):
    """As a client does that is answered 503, when eight at once take the database longer than a request waits."""
    for _ in range(20):
        try:
            return change()
        except PyMongoError:
            continue
    raise AssertionError("twenty times too slow")


def test_fifty_parallel_moves_keep_a_total_order(scene):
    made = [TaskFactory(project=scene.project).id for _ in range(10)]
    actor = actor_of(scene.owner.user)

    def move(number):
        ends = {"at": "first"} if number % 3 == 0 else {"at": "last"} if number % 3 == 1 else {"before": made[0]}
        if made[number % 10] != made[0] or "at" in ends:
            persistently(lambda: placement.place(made[number % 10], **ends, if_match=None, actor=actor))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(move, range(50)))
    positions = list(Task.objects(project_id=scene.project.id).scalar("position"))
    assert len(set(positions)) == len(positions) == 11


@given(moves=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), max_size=20))
@settings(max_examples=10)
def test_the_order_is_what_a_list_would_have(scene, moves):
    Task.objects.delete()
    made = [TaskFactory(project=scene.project, title=str(number)) for number in range(5)]
    model, actor = [task.id for task in made], actor_of(scene.owner.user)
    for moved, neighbour, before in moves:
        if moved != neighbour:
            where = {"before" if before else "after": made[neighbour].id}
            placement.place(made[moved].id, **where, if_match=None, actor=actor)
            model.remove(made[moved].id)
            model.insert(model.index(made[neighbour].id) + (not before), made[moved].id)
    assert list(Task.objects.in_project(scene.project.id).order_by("position").scalar("id")) == model


@pytest.fixture
def target(scene):
    """Another project of the owner, with a member of the first and a label of the same name."""
    return ProjectFactory(owner=scene.owner.user)


def move(client, scene, project):
    return client.post(f"{scene.task_path}/move", json={"project_id": str(project.id)})


def test_a_task_moves_with_what_fits(scene, target):
    both, here = UserFactory(), UserFactory()
    for user, project in ((both, scene.project), (both, target), (here, scene.project)):
        MembershipFactory(project=project, user=user)
    names = {}
    for project, labels, field in ((scene.project, ["Bug", "old"], "number"), (target, ["bug"], "number")):
        path = f"/api/v1/projects/{project.id}"
        for name in labels:
            names[project.id, name] = scene.owner.post(f"{path}/labels", json={"name": name}).json["id"]
        for key, kind in (("points", field), ("size", "text" if project is scene.project else "number")):
            scene.owner.post(f"{path}/custom-fields", json={"key": key, "name": key, "type": kind})
    body = {
        "label_ids": [names[scene.project.id, "Bug"], names[scene.project.id, "old"]],
        "assignee_ids": [str(here.id), str(both.id)],
        "custom_fields": {"points": 3, "size": "big"},
        "status": "in_progress",
    }
    assert patch(scene.owner, scene.task_path, body).status_code == 200
    part = TaskFactory(project=scene.project, parent_id=scene.task.id, title="part")
    old_key = scene.task.key
    answer = move(scene.owner, scene, target)
    assert answer.status_code == 200, answer.text
    task = answer.json
    assert (task["project_id"], task["key"]) == (str(target.id), f"{target.key}-1")
    assert task["label_ids"] == [names[target.id, "bug"]]
    assert (task["assignee_ids"], task["custom_fields"]) == ([str(both.id)], {"points": 3})
    assert (task["status"], task["progress"]) == ("in_progress", {"total": 1, "done": 0})
    assert scene.owner.get(f"{TASKS}/by-key/{old_key}").json["id"] == task["id"]
    moved = scene.owner.get(f"{TASKS}/{part.id}").json
    assert (moved["project_id"], moved["parent_id"], moved["key"]) == (str(target.id), task["id"], f"{target.key}-2")
    assert TaskFactory(project=scene.project).key == f"{scene.project.key}-3"
    assert move(scene.owner, scene, target).json["key"] == task["key"]


def test_a_status_that_is_not_there_becomes_one_of_its_group(scene, target):
    workflow = [{"key": "todo", "name": "x", "group": "backlog"}, {"key": "doing", "name": "x", "group": "active"},
                {"key": "end", "name": "x", "group": "done"}]  # fmt: skip
    scene.owner.put(f"/api/v1/projects/{target.id}/statuses", json={"statuses": workflow}, headers=ANY)
    patch(scene.owner, scene.task_path, {"status": "cancelled"})
    task = move(scene.owner, scene, target).json
    assert (task["status"], task["status_group"]) == ("end", "done")
    assert task["completed_at"]


def test_a_part_that_moves_leaves_its_parent(scene, target):
    parent = TaskFactory(project=scene.project)
    patch(scene.owner, scene.task_path, {"parent_id": str(parent.id)})
    assert move(scene.owner, scene, target).json["parent_id"] is None
    assert scene.owner.get(f"{TASKS}/{parent.id}").json["progress"] == {"total": 0, "done": 0}


def test_moving_needs_the_role_in_both_projects(scene, target):
    member = scene.member()
    assert_problem(move(member, scene, target), 422)
    MembershipFactory(project=target, user=member.user, role="viewer")
    assert_problem(move(member, scene, target), 403)
    assert_problem(move(scene.member("viewer"), scene, target), 403)
    assert_problem(move(scene.who("stranger"), scene, target), 404)


def watchers(client, scene):
    return [item["user_id"] for item in client.get(f"{scene.task_path}/watchers").json["items"]]


def test_people_watch_tasks(scene):
    viewer, member = scene.member("viewer"), scene.member()
    own = f"{scene.task_path}/watchers/{viewer.user.id}"
    for _ in range(2):
        assert viewer.put(own, headers=ANY).status_code == 204
    assert watchers(scene.owner, scene) == [str(viewer.user.id)]
    assert scene.owner.get(TASKS, query_string={"filter": "watcher is not null"}).json["items"][0]["watcher_ids"]
    assert viewer.get(TASKS, query_string={"filter": "watcher = me"}).json["items"] != []
    assert_problem(viewer.put(f"{scene.task_path}/watchers/{member.user.id}", headers=ANY), 403)
    assert member.put(f"{scene.task_path}/watchers/{member.user.id}", headers=ANY).status_code == 204
    for _ in range(2):
        assert member.delete(own, headers=ANY).status_code == 204
    assert watchers(scene.owner, scene) == [str(member.user.id)]
    stranger = scene.who("stranger")
    assert_problem(scene.owner.put(f"{scene.task_path}/watchers/{stranger.user.id}", headers=ANY), 422)
    assert_problem(stranger.put(f"{scene.task_path}/watchers/{stranger.user.id}", headers=ANY), 404)


def test_parallel_watchers_are_all_kept(scene):
    clients = [scene.member("viewer") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        put = lambda client: client.put(f"{scene.task_path}/watchers/{client.user.id}", headers=ANY).status_code  # noqa: E731
        assert set(pool.map(put, clients)) == {204}
    assert len(watchers(scene.owner, scene)) == 8


def test_every_former_key_of_a_task_that_moved_often_leads_to_it(scene):
    keys = [scene.task.key]
    for _ in range(3):
        keys.append(move(scene.owner, scene, ProjectFactory(owner=scene.owner.user)).json["key"])
    found = [scene.owner.get(f"/api/v1/tasks/by-key/{key}").json.get("id") for key in keys]
    assert len(set(keys)) == 4 and found == [str(scene.task.id)] * 4


@pytest.fixture
def parts(scene, target):
    """Makes subtasks of the scene's task, each with all that is translated when it moves."""
    member = UserFactory()
    ids = {}
    for project in (scene.project, target):
        MembershipFactory(project=project, user=member)
        path = f"/api/v1/projects/{project.id}"
        ids[project.id] = ObjectId(scene.owner.post(f"{path}/labels", json={"name": "Bug"}).json["id"])
        scene.owner.post(f"{path}/custom-fields", json={"key": "tester", "name": "Tester", "type": "user"})

    def make(number):
        rows = [
            task_row(
                scene.project.id,
                parent_id=scene.task.id,
                title=f"Part {place}",
                label_ids=[ids[scene.project.id]],
                assignee_ids=[member.id],
                custom_fields={"tester": str(member.id)},
                due="2026-12-01T09:00",
                due_floating=True,
            )
            for place in range(number)
        ]
        Task.objects.insert(rows, load_bulk=False)
        reminder = {"user_id": member.id, "relative_to": "due", "minutes_before": 10}
        Reminder.objects.insert([Reminder(task_id=row.id, **reminder) for row in rows], load_bulk=False)
        return rows, ids[target.id], member

    return make


def counted(request):
    with commands.counting() as seen:
        answer = request()
    assert answer.status_code in (200, 204), answer.text
    return Counts(event.command_name for event in seen if event.command_name != "getMore")  # batches of one answer


def test_a_move_costs_the_same_however_many_subtasks_there_are(scene, target, parts):
    there = {"timezone": "Asia/Tokyo"}
    assert patch(scene.owner, f"/api/v1/projects/{target.id}", there).status_code == 200
    parts(2)
    few = counted(lambda: move(scene.owner, scene, target))
    counted(lambda: move(scene.owner, scene, scene.project))
    rows, label_id, member = parts(190)
    placed = Task.objects(parent_id=scene.task.id).order_by("position")
    before = list(placed.scalar("id"))
    many = counted(lambda: move(scene.owner, scene, target))
    assert many == few
    assert sum(many.values()) < 40
    assert list(placed.scalar("id")) == before
    assert list(placed.scalar("key")) == [f"{target.key}-{number}" for number in range(5, 197)]
    moved = list(Task.objects(id__in=[row.id for row in rows]).order_by("position"))
    last = moved[-1]
    assert (last.project_id, last.parent_id, last.revision) == (target.id, scene.task.id, 2)
    assert (last.label_ids, last.assignee_ids, last.custom_fields) == (
        [label_id],
        [member.id],
        {"tester": str(member.id)},
    )
    assert last.due_at == datetime(2026, 12, 1, 0, tzinfo=UTC)  # nine in Tokyo
    assert f"l:{label_id}" in last.index_tags
    assert Reminder.objects(task_id__in=[row.id for row in rows], revision=2).count() == 190


def test_the_trash_takes_and_gives_back_many_subtasks_at_the_cost_of_few(scene, parts):
    costs = []
    for number in (1, 100):
        parts(number)
        deleted = counted(lambda: scene.owner.delete(scene.task_path, headers=ANY))
        restored = counted(lambda: scene.owner.post(f"{scene.task_path}/restore"))
        costs.append((sum(deleted.values()), sum(restored.values())))
    assert costs[0] == costs[1]
    assert Task.objects.alive().filter(parent_id=scene.task.id).count() == 101
