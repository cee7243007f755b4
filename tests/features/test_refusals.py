"""Guards that are easily lost: each request is refused with the code that clients go by."""

from datetime import timedelta

import pytest

from taskmanager.core.clock import iso, now
from taskmanager.features.projects.share_links import service as share_links
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.placement import service as placement
from taskmanager.features.tasks.relations import service as relations
from taskmanager.features.templates import service as templates
from taskmanager.testing.factories import ProjectFactory, TaskFactory, UserFactory
from tests.problems import assert_problem
from tests.scene import patch

UNKNOWN_ID = "65f1c0ffee0123456789abcd"
V1 = "/api/v1"
TOKEN = {"name": "T", "scopes": ["tasks:read"]}


def of_project(path):
    return lambda scene: scene.project_path + path


def of_task(path):
    return lambda scene: scene.task_path + path


def everywhere(path):
    return lambda scene: V1 + path


def days(number):
    return iso(now() + timedelta(days=number))


REFUSED = [
    ("PUT", of_project("/position"), lambda s: {"after": UNKNOWN_ID}, 422, "project.neighbour_unknown"),
    ("PUT", of_task("/position"), lambda s: {"after": UNKNOWN_ID}, 422, "task.neighbour_unknown"),
    ("POST", of_project("/transfer"), lambda s: {"user_id": UNKNOWN_ID}, 422, "project.not_a_member"),
    ("POST", of_project("/transfer"), lambda s: {"user_id": str(UserFactory().id)}, 422, "project.not_a_member"),
    ("POST", of_project("/transfer"), lambda s: {"user_id": str(s.owner.user.id)}, 422, "project.not_a_member"),
    ("POST", of_project("/share-links"), lambda s: {"role": "viewer", "expires_at": days(-1)}, 422, "share_link.past"),
    ("POST", of_task("/relations"), lambda s: {"kind": "blocks", "task_id": str(s.task.id)}, 422, "relation.itself"),
    ("POST", of_task("/relations"), lambda s: {"kind": "blocks", "task_id": UNKNOWN_ID}, 422, "relation.task_unknown"),
    ("POST", of_task("/move"), lambda s: {"project_id": str(ProjectFactory().id)}, 422, "task.project_unknown"),
    ("PATCH", of_task(""), lambda s: {"custom_fields": {"none": 1}}, 422, "task.custom_field_unknown"),
    ("POST", everywhere("/users/me/tokens"), lambda s: TOKEN | {"expires_at": days(-1)}, 422, "token.bad_expiry"),
    ("POST", everywhere("/users/me/tokens"), lambda s: TOKEN | {"expires_at": days(4000)}, 422, "token.bad_expiry"),
    (
        "POST",
        everywhere("/users/me/tokens"),
        lambda s: TOKEN | {"expires_at": days(1), "project_id": str(ProjectFactory().id)},
        422,
        "token.unknown_project",
    ),
    ("POST", everywhere("/users/me/totp/confirm"), lambda s: {"code": "000000"}, 409, "totp.not_begun"),
    ("POST", everywhere("/users/me/totp/recovery-codes"), lambda s: {"code": "000000"}, 409, "totp.not_enabled"),
    (
        "PATCH",
        everywhere("/notifications/preferences"),
        lambda s: {"channels": {"pigeon": {"task.assigned": True}}},
        422,
        "channel.unknown",
    ),
    (
        "PATCH",
        everywhere("/notifications/preferences"),
        lambda s: {"channels": {"email": {"task.eaten": True}}},
        422,
        "kind.unknown",
    ),
    (
        "PATCH",
        everywhere("/notifications/preferences"),
        lambda s: {"quiet_hours": {"start": "22:00"}},
        422,
        "quiet_hours.incomplete",
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"), REFUSED, ids=[f"{row[4]}-{n}" for n, row in enumerate(REFUSED)]
)
def test_what_cannot_be_is_refused_by_its_code(scene, method, path, body, status, code):
    headers = {"If-Match": "*"} if method in ("PATCH", "DELETE") else {}
    answer = scene.owner.open(path(scene), method=method, json=body(scene), headers=headers)
    problem = assert_problem(answer, status)
    assert code in {problem["code"], *(item["code"] for item in problem.get("errors", []))}


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(scene, key):
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}
    answer = scene.owner.post(scene.tasks_path, json={"title": "a"}, headers=headers)
    assert_problem(answer, 400, code="idempotency.key_invalid")


def test_a_body_in_an_encoding_is_not_guessed_at(scene):
    answer = scene.owner.post(scene.tasks_path, json={"title": "a"}, headers={"Content-Encoding": "gzip"})
    assert_problem(answer, 415, code="request.unsupported_encoding")


@pytest.fixture
def small(monkeypatch):
    """Bounds small enough to reach."""
    for module, name in (
        (share_links, "MAX_LINKS"),
        (relations, "MAX_RELATIONS"),
        (subtasks, "MAX_SUBTASKS"),
        (placement, "MAX_WATCHERS"),
        (templates, "MAX_TASKS"),
    ):
        monkeypatch.setattr(module, name, 1)


def test_a_project_has_so_many_share_links(scene, small):
    made = [scene.owner.post(f"{scene.project_path}/share-links", json={"role": "viewer"}) for _ in range(2)]
    assert made[0].status_code == 201
    assert_problem(made[1], 409, code="share_link.too_many")


def test_a_task_has_so_many_relations_on_both_sides(scene, small):
    others = [TaskFactory(project=scene.project) for _ in range(2)]
    path = f"{scene.task_path}/relations"
    made = [scene.owner.post(path, json={"kind": "blocks", "task_id": str(other.id)}) for other in others]
    assert made[0].status_code == 201
    assert_problem(made[1], 409, code="relation.too_many")
    back = f"{V1}/tasks/{others[1].id}/relations"
    assert_problem(
        scene.owner.post(back, json={"kind": "blocks", "task_id": str(scene.task.id)}), 409, code="relation.too_many"
    )


def test_a_task_has_so_many_watchers(scene, small):
    put = [scene.owner.put(f"{scene.task_path}/watchers/{scene.member().user.id}") for _ in range(2)]
    assert put[0].status_code == 204
    assert_problem(put[1], 422)
    assert len(scene.owner.get(scene.task_path).json["watcher_ids"]) == 1


def test_a_project_that_is_too_large_is_not_copied(scene, small):
    TaskFactory(project=scene.project)
    answer = scene.owner.post(f"{scene.project_path}/copy", json={"key": "COPY", "name": "A copy", "with_tasks": True})
    assert_problem(answer, 409, code="project.too_large")


def test_a_task_with_too_many_parts_does_not_go_to_the_trash(scene, small):
    for _ in range(2):
        TaskFactory(project=scene.project, parent_id=scene.task.id)
    answer = scene.owner.delete(scene.task_path, headers={"If-Match": "*"})
    assert_problem(answer, 409, code="task.too_many_subtasks")


def test_a_second_label_of_one_name_is_a_conflict(scene):
    made = [scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}) for _ in range(2)]
    assert made[0].status_code == 201
    assert_problem(made[1], 409, code="label.taken")
    other = scene.owner.post(f"{scene.project_path}/labels", json={"name": "other"}).json["id"]
    assert_problem(patch(scene.owner, f"{scene.project_path}/labels/{other}", {"name": "bug"}), 409, code="label.taken")


def test_a_value_of_another_type_is_refused(scene):
    field = {"key": "points", "name": "Points", "type": "number"}
    assert scene.owner.post(f"{scene.project_path}/custom-fields", json=field).status_code == 201
    problem = assert_problem(patch(scene.owner, scene.task_path, {"custom_fields": {"points": "many"}}), 422)
    assert [item["code"] for item in problem["errors"]] == ["task.custom_field_invalid"]
