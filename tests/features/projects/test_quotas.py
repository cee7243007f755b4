"""Quotas: what is one too many is refused, also when many add at once; what is gone gives room again."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest

from migrations.scripts import m202611270007_quotas as counted
from taskmanager.core.storage.database import database
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from tests.problems import assert_problem

ANY = {"If-Match": "*"}
V1 = "/api/v1"


@pytest.fixture
def quota(change_settings):
    """Set quotas of this test: `quota(tasks=2)`."""
    return lambda **most: change_settings(**{f"quota_{name}": limit for name, limit in most.items()})


def attach(client, scene, size=100, task=None):
    data = {"file": (BytesIO(b"x" * size), "a.txt")}
    path = f"{V1}/tasks/{task}" if task else scene.task_path
    return client.post(f"{path}/attachments", data=data, content_type="multipart/form-data")


def add_to(scene, number):
    """Make one more of what a quota counts."""
    client, project = scene.owner, scene.project_path
    paths = {
        "projects": (f"{V1}/projects", {"key": f"NEW{number}", "name": "New"}),
        "memberships": (f"{V1}/projects", {"key": f"NEW{number}", "name": "New"}),
        "tasks": (scene.tasks_path, {"title": "New"}),
        "webhooks": (f"{project}/webhooks", {"url": "https://8.8.8.8/hook", "events": ["*"]}),
        "views": (f"{project}/views", {"name": f"View {number}"}),
        "custom_fields": (f"{project}/custom-fields", {"key": f"f{number}", "name": "F", "type": "text"}),
        "labels": (f"{project}/labels", {"name": f"label {number}"}),
        "reminders": (f"{scene.task_path}/reminders", {"at": "2100-01-01T00:00:00Z"}),
    }
    return lambda name: client.post(paths[name][0], json=paths[name][1])


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("projects", 1),
        ("memberships", 1),
        ("tasks", 1),
        ("webhooks", 0),
        ("views", 0),
        ("custom_fields", 0),
        ("labels", 0),
        ("reminders", 0),
    ],
)
def test_one_too_many_is_refused_also_when_many_are_made_at_once(scene, quota, name, there):
    quota(**{name: there + 2})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: add_to(scene, number)(name), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    problem = next(answer for answer in answers if answer.status_code == 409)
    assert_problem(problem, 409, code=f"quota.{name}")
    assert problem.json["limit"] == there + 2
    quota(**{name: 0})
    assert add_to(scene, 9)(name).status_code == 201


def test_members_of_a_project_are_bounded(scene, quota):
    quota(members=2)
    scene.member()
    with pytest.raises(Exception, match="at most 2 members"):
        scene.member()
    assert Membership.objects(project_id=scene.project.id).count() == 2


def test_to_become_an_owner_needs_room_too(app, scene, quota):
    person = scene.member()
    assert person.post(f"{V1}/projects", json={"key": "OWN", "name": "Own"}).status_code == 201
    quota(projects=1)
    path = f"{scene.members_path}/{person.user.id}"
    assert_problem(scene.owner.patch(path, json={"role": "owner"}, headers=ANY), 409, code="quota.projects")


def test_tasks_in_the_trash_count_until_they_are_purged(scene, quota):
    quota(tasks=2)
    made = scene.owner.post(scene.tasks_path, json={"title": "Second"}).json["id"]
    assert_problem(scene.owner.post(scene.tasks_path, json={"title": "Third"}), 409, code="quota.tasks")
    scene.owner.delete(f"{V1}/tasks/{made}", headers=ANY)
    assert_problem(scene.owner.post(scene.tasks_path, json={"title": "Third"}), 409, code="quota.tasks")
    assert scene.owner.delete(f"{V1}/trash/{made}", headers=ANY).status_code == 204
    assert scene.owner.post(scene.tasks_path, json={"title": "Third"}).status_code == 201


def test_a_task_that_is_moved_or_copied_counts_where_it_is(scene, quota):
    other = scene.owner.post(f"{V1}/projects", json={"key": "OTHER", "name": "Other"}).json["id"]
    assert attach(scene.owner, scene).status_code == 201
    assert scene.owner.post(f"{scene.task_path}/move", json={"project_id": other}).status_code == 200
    assert uses(scene.project.id, other) == [(0, 0), (1, 100)]
    copied = scene.owner.post(f"{V1}/projects/{other}/copy", json={"key": "COPY", "name": "C", "with_tasks": True})
    assert copied.status_code == 201, copied.text
    assert uses(copied.json["id"])[0][0] in (0, 1)
    quota(tasks=1)
    assert_problem(scene.owner.post(f"{V1}/projects/{other}/tasks", json={"title": "x"}), 409, code="quota.tasks")


def test_a_copy_has_no_more_tasks_than_a_project_may(scene, quota):
    scene.owner.post(scene.tasks_path, json={"title": "Second"})
    quota(tasks=1)
    body = {"key": "COPY", "name": "C", "with_tasks": True}
    assert_problem(scene.owner.post(f"{scene.project_path}/copy", json=body), 409, code="quota.tasks")
    assert scene.owner.post(f"{scene.project_path}/copy", json=body | {"with_tasks": False}).status_code == 201


def uses(*project_ids):
    found = [Project.objects(id=project_id).first() for project_id in project_ids]
    return [(project.task_count, project.attachment_bytes) for project in found]


@pytest.mark.parametrize("name", ["project_attachment_bytes", "account_attachment_bytes"])
def test_bytes_of_attachments_are_bounded_and_given_back(scene, quota, name):
    quota(**{name: 250})
    one = attach(scene.owner, scene)
    assert attach(scene.owner, scene).status_code == 201
    assert_problem(attach(scene.owner, scene), 409, code=f"quota.{name}")
    assert scene.owner.delete(f"{scene.task_path}/attachments/{one.json['id']}", headers=ANY).status_code == 204
    assert attach(scene.owner, scene).status_code == 201
    assert uses(scene.project.id) == [(1, 200)]
    assert User.objects(id=scene.owner.user.id).first().attachment_bytes == 200
    scene.owner.delete(scene.task_path, headers=ANY)
    scene.owner.delete(f"{V1}/trash/{scene.task.id}", headers=ANY)
    assert uses(scene.project.id) == [(0, 0)]
    assert User.objects(id=scene.owner.user.id).first().attachment_bytes == 0


def test_what_there_is_already_is_counted(scene):
    attach(scene.owner, scene)
    database()["projects"].update_many({}, {"$unset": {"task_count": 1, "attachment_bytes": 1}})
    database()["users"].update_many({}, {"$unset": {"attachment_bytes": 1}})
    for _ in range(2):
        counted.upgrade(database())
    assert uses(scene.project.id) == [(1, 100)]
    assert User.objects(id=scene.owner.user.id).first().attachment_bytes == 100


def test_a_counter_that_says_more_than_there_is_is_counted_anew(scene):
    other = scene.owner.post(f"{V1}/projects", json={"key": "EMPTY", "name": "Empty"}).json["id"]
    Project.objects.update(set__task_count=7, set__attachment_bytes=700)
    User.objects.update(set__attachment_bytes=700)
    for _ in range(2):
        counted.upgrade(database())
    assert uses(scene.project.id, other) == [(1, 0), (0, 0)]
    assert {user.attachment_bytes for user in User.objects} == {0}


def test_limits_and_use_are_shown(app, quota):
    quota(projects=7, tasks=0)
    person = sign_in(app, UserFactory())
    person.post(f"{V1}/projects", json={"key": "OWN", "name": "Own"})
    shown = person.get(f"{V1}/users/me").json["quotas"]
    assert shown["projects"] == {"limit": 7, "used": 1}
    assert shown["memberships"] == {"limit": 1000, "used": 1}
    assert shown["account_attachment_bytes"]["used"] == 0
    assert shown["tasks"] == {"limit": None, "used": None}
    assert person.get(f"{V1}/users/me?fields=id").json.keys() == {"id"}


def test_undoing_a_recurring_task_gives_its_room_back(scene):
    body = {"title": "Water the plants", "due": "2099-12-01", "recurrence": "FREQ=WEEKLY"}
    path = f"{V1}/tasks/{scene.owner.post(scene.tasks_path, json=body).json['id']}"
    count = Project.objects.get(id=scene.project.id).task_count
    for _ in range(3):
        assert scene.owner.put(f"{path}/completion", headers=ANY).status_code == 200
        assert scene.owner.delete(f"{path}/completion", headers=ANY).status_code == 200
    assert Project.objects.get(id=scene.project.id).task_count == count


def test_deleted_projects_take_no_room(scene, quota):
    quota(projects=2, memberships=2)
    for number in range(3):
        made = scene.owner.post(f"{V1}/projects", json={"key": f"NEW{number}", "name": "New"})
        assert made.status_code == 201, made.text
        assert scene.owner.delete(made.headers["Location"], headers=ANY).status_code == 204


def test_a_transfer_keeps_to_the_quota_of_who_gets_it(scene, quota):
    heir = scene.member("manager")
    assert heir.post(f"{V1}/projects", json={"key": "OWN", "name": "Own"}).status_code == 201
    quota(projects=1)
    answer = scene.owner.post(f"{scene.project_path}/transfer", json={"user_id": str(heir.user.id)})
    assert_problem(answer, 409, code="quota.projects")


def test_an_exception_is_for_one_project_or_account_alone(quota, scene):
    other = UserFactory()
    quota(tasks=2, tokens=1, exceptions=f"{scene.project.id}.tasks=4, {scene.owner.user.id}.tokens=0")
    made = [scene.owner.post(scene.tasks_path, json={"title": "T"}).status_code for _ in range(4)]
    assert made == [201, 201, 201, 409]  # the scene has one
    second = scene.owner.post(f"{V1}/projects", json={"key": "SECOND", "name": "P"}).json["id"]
    made = [scene.owner.post(f"{V1}/projects/{second}/tasks", json={"title": "T"}).status_code for _ in range(3)]
    assert made == [201, 201, 409]
    limits = [sign_in(scene.app, user).get(f"{V1}/users/me").json["quotas"] for user in (scene.owner.user, other)]
    assert [one["tokens"]["limit"] for one in limits] == [None, 1]
