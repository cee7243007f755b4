"""What each role may do, as clients are told, and a project that gets another owner."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import Membership
from taskmanager.features.users.models import User
from tests.problems import assert_problem
from tests.scene import patch


def transfer(scene, person, to):
    return person.post(f"{scene.project_path}/transfer", json={"user_id": str(to.user.id)})


def roles(scene):
    return {m.user_id: m.role for m in Membership.objects(project_id=scene.project.id)}


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("viewer", "task:read", "task:create"),
        ("member", "task:create", "members:manage"),
        ("manager", "links:manage", "project:transfer"),
        ("owner", "project:transfer", None),
    ],
)
def test_people_are_told_what_their_role_permits(scene, role, may, may_not):
    answer = scene.who(role).get(f"{scene.project_path}/permissions")
    assert answer.status_code == 200
    assert answer.json["role"] == role
    assert may in answer.json["permissions"]
    assert may_not not in answer.json["permissions"]
    assert answer.json["roles"][role] == answer.json["permissions"]
    assert "private" in answer.headers["Cache-Control"]


def test_permissions_that_are_known_are_not_sent_again(scene):
    path = f"{scene.project_path}/permissions"
    etag = scene.owner.get(path).headers["ETag"]
    assert scene.owner.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_strangers_learn_no_permissions(scene):
    assert scene.who("stranger").get(f"{scene.project_path}/permissions").status_code == 404
    assert scene.who("anonymous").get(f"{scene.project_path}/permissions").status_code == 401


def test_the_owner_gives_the_project_away_and_becomes_a_manager(scene):
    heir = scene.member("viewer")
    answer = transfer(scene, scene.owner, heir)
    assert (answer.status_code, answer.json["role"]) == (200, "owner")
    assert roles(scene) == {scene.owner.user.id: "manager", heir.user.id: "owner"}
    assert scene.owner.delete(scene.project_path, headers={"If-Match": "*"}).status_code == 403
    assert patch(heir, scene.project_path, {"name": "Mine"}).status_code == 200


def test_a_transfer_is_in_the_audit_log(scene):
    heir = scene.member()
    transfer(scene, scene.owner, heir)
    event = Event.objects(kind="project.transferred").first()
    assert event.audited
    assert event.data["changes"] == {"owner_id": [scene.owner.user.id, heir.user.id]}


@pytest.mark.parametrize(("who", "status"), [("manager", 403), ("viewer", 403), ("stranger", 404), ("anonymous", 401)])
def test_no_one_else_gives_it_away(scene, who, status):
    assert transfer(scene, scene.who(who), scene.member()).status_code == status
    assert roles(scene)[scene.owner.user.id] == "owner"


def test_only_another_member_who_may_act_can_become_the_owner(scene, caller):
    disabled = scene.member()
    User.objects(id=disabled.user.id).update(set__disabled_at=disabled.user.created_at)
    for other in (caller(), scene.owner, disabled):
        problem = assert_problem(transfer(scene, scene.owner, other), 422)
        assert problem["errors"][0]["location"] == "body.user_id"
    assert roles(scene)[scene.owner.user.id] == "owner"


def test_of_two_transfers_at_once_one_counts(scene):
    heirs = [scene.member(), scene.member()]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda heir: transfer(scene, scene.owner, heir), heirs))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert statuses[1] in (403, 503)
    assert sorted(roles(scene).values()) == ["manager", "member", "owner"]


def test_a_project_whose_heir_leaves_at_once_keeps_an_owner(scene):
    heir = scene.member()
    path = f"{scene.members_path}/{heir.user.id}"
    with ThreadPoolExecutor(2) as pool:
        given = pool.submit(transfer, scene, scene.owner, heir)
        pool.submit(heir.delete, path, headers={"If-Match": "*"}).result()
        given.result()
    assert "owner" in roles(scene).values()
