"""Members: who may be what, and that a change of it counts at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from taskmanager.features.projects.models import Membership
from taskmanager.testing.clients import sign_in
from tests.problems import assert_problem
from tests.scene import patch


def path_of(scene, person) -> str:
    return f"{scene.members_path}/{person.user.id}"


def test_a_manager_cannot_make_an_owner(scene, caller):
    new = caller()
    body = {"user_id": str(new.user.id), "role": "owner"}
    assert_problem(scene.member("manager").post(scene.members_path, json=body), 403, code="member.role_too_high")


def test_a_manager_cannot_remove_or_demote_an_owner(scene):
    manager = scene.member("manager")
    assert manager.delete(path_of(scene, scene.owner), headers={"If-Match": "*"}).status_code == 403
    assert patch(manager, path_of(scene, scene.owner), {"role": "viewer"}).status_code == 403


def test_the_last_owner_stays(scene):
    is_own = scene.owner.delete(path_of(scene, scene.owner), headers={"If-Match": "*"})
    assert_problem(is_own, 409, code="project.last_owner")
    assert_problem(patch(scene.owner, path_of(scene, scene.owner), {"role": "viewer"}), 409, code="project.last_owner")


def test_of_two_owners_who_leave_at_once_one_stays(scene):
    other = scene.member("owner")
    people = [scene.owner, other]
    with ThreadPoolExecutor(2) as pool:
        leave = [pool.submit(p.delete, path_of(scene, p), headers={"If-Match": "*"}) for p in people]
        statuses = sorted(answer.result().status_code for answer in leave)
    assert statuses in ([204, 409], [204, 503])
    assert Membership.objects(project_id=scene.project.id, role="owner").count() == 1


def test_any_member_can_leave(scene):
    viewer = scene.member("viewer")
    assert viewer.delete(path_of(scene, viewer), headers={"If-Match": "*"}).status_code == 204
    assert viewer.get(scene.project_path).status_code == 404


def test_who_is_removed_sees_nothing_at_once(scene):
    member = scene.member()
    assert member.get(scene.task_path).status_code == 200
    scene.owner.delete(path_of(scene, member), headers={"If-Match": "*"})
    assert member.get(scene.task_path).status_code == 404
    assert member.get("/api/v1/tasks").json["items"] == []


def test_who_is_demoted_may_less_at_once_also_in_another_process(scene, other_app):
    member = scene.member("member")
    other = sign_in(other_app(), member.user)
    assert patch(other, scene.task_path, {"title": "First"}).status_code == 200
    patch(scene.owner, path_of(scene, member), {"role": "viewer"})
    assert patch(other, scene.task_path, {"title": "Second"}).status_code == 403


@pytest.mark.parametrize("whom", [{}, {"email": "a@example.com", "user_id": "65f1c0ffee0123456789abcd"}])
def test_a_new_member_is_named_by_one_of_id_and_address(scene, whom):
    assert scene.owner.post(scene.members_path, json={**whom, "role": "member"}).status_code == 422


def test_one_cannot_be_added_twice(scene):
    member = scene.member()
    answer = scene.owner.post(scene.members_path, json={"user_id": str(member.user.id), "role": "viewer"})
    assert_problem(answer, 409, code="member.exists")


def test_a_key_is_given_once(scene):
    body = {"key": scene.project.key, "name": "Another"}
    assert_problem(scene.owner.post("/api/v1/projects", json=body), 409, code="project.key_taken")


def test_a_deleted_project_takes_its_tasks_along(scene):
    member = scene.member()
    assert scene.owner.delete(scene.project_path, headers={"If-Match": "*"}).status_code == 204
    for person in (scene.owner, member):
        assert person.get(scene.project_path).status_code == 404
        assert person.get(scene.task_path).status_code == 404
        assert person.get("/api/v1/tasks").json["items"] == []


def test_a_part_of_each_member_can_be_asked_for(scene):
    (member,) = scene.owner.get(f"{scene.members_path}?fields=user,role").json["items"]
    assert member == {"role": "owner", "user": {"name": scene.owner.user.name, "email": scene.owner.user.email}}
