"""People join a project by accepting: who is asked, what an invitation shows, and that refusing ends it."""

import pytest
import time_machine
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Notification
from taskmanager.features.projects.invitations import service as invitations
from taskmanager.features.projects.models import Invitation
from taskmanager.features.users import service as users
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, UserFactory
from taskmanager.testing.mailbox import text_of
from tests.features.projects.invitations.asking import ask, by_id, roles, unprove
from tests.features.test_matrix import token_client
from tests.problems import assert_problem
from tests.scene import patch

MINE = "/api/v1/invitations"
ANY = {"If-Match": "*"}
UNKNOWN_ID = "65f1c0ffee0123456789abcd"


def test_a_guessed_id_makes_no_one_a_member_and_shows_nothing_of_them(scene, grace):
    answer = ask(scene, **by_id(grace))
    assert answer.status_code == 202, answer.text
    assert grace.user.id not in roles(scene)
    assert grace.get(scene.project_path).status_code == 404
    body = answer.json
    assert (body["user_id"], body["email"], body["state"], body["role"]) == (
        str(grace.user.id),
        None,
        "pending",
        "member",
    )
    listed = (
        scene.owner.get(answer.headers["Location"]).text + scene.owner.get(f"{scene.project_path}/invitations").text
    )
    for word in ("Grace", "grace@"):
        assert word not in answer.text + listed


def test_who_accepts_is_a_member(scene, grace):
    made = ask(scene, **by_id(grace), role="commenter").json
    (mine,) = grace.get(MINE).json["items"]
    assert (mine["id"], mine["project_name"], mine["role"]) == (made["id"], scene.project.name, "commenter")
    accepted = grace.post(f"{MINE}/{made['id']}/accept")
    assert (accepted.status_code, accepted.json["role"]) == (200, "commenter")
    assert grace.get(scene.project_path).status_code == 200
    assert grace.post(f"{MINE}/{made['id']}/accept").status_code == 404


def test_who_was_invited_by_id_accepts_before_the_address_was_proved(scene, grace):
    unprove(grace)
    made = ask(scene, **by_id(grace)).json
    assert grace.post(f"{MINE}/{made['id']}/accept").status_code == 200
    assert User.objects.one(grace.user.id).email_verified_at is None


def test_who_refuses_is_asked_again_three_times_at_most(scene, grace):
    for _ in range(3):
        made = ask(scene, **by_id(grace)).json
        assert grace.post(f"{MINE}/{made['id']}/refuse").status_code == 204
    assert_problem(ask(scene, **by_id(grace)), 409, code="invitation.refused")
    assert grace.user.id not in roles(scene)


def test_one_person_is_asked_five_times_a_week_at_most(scene, grace):
    with time_machine.travel(0, tick=False) as clock:
        clock.move_to("2026-12-01T09:00:00Z")
        owner = sign_in(scene.app, scene.owner.user)
        assert {ask(scene, by=owner, **by_id(grace)).status_code for _ in range(5)} == {202}
        answer = ask(scene, by=owner, **by_id(grace))
        assert_problem(answer, 429, code="invitation.too_often")
        assert int(answer.headers["Retry-After"]) == 7 * 24 * 3600
        clock.shift(7 * 24 * 3600 + 1)
        assert ask(scene, by=sign_in(scene.app, scene.owner.user), **by_id(grace)).status_code == 202


def test_one_person_is_asked_by_one_other_for_ten_projects_at_most(scene, grace, monkeypatch):
    monkeypatch.setattr(invitations, "MAX_PENDING_TO_ONE", 2)
    others = [f"/api/v1/projects/{ProjectFactory(owner=scene.owner.user).id}/members" for _ in range(3)]
    owner = sign_in(scene.app, scene.owner.user)
    answers = [owner.post(path, json={"role": "viewer", **by_id(grace)}) for path in others]
    assert [answer.status_code for answer in answers] == [202, 202, 409]


@pytest.mark.parametrize("by", ["id", "address"])
def test_known_and_unknown_get_the_same_answer_by_the_same_work(scene, grace, commands, by):
    whom = {
        "id": [by_id(grace), {"user_id": UNKNOWN_ID}, {"user_id": str(_disabled().id)}],
        "address": [{"email": "grace@example.com"}, {"email": "unknown@example.com"}, {"email": _disabled().email}],
    }[by]
    ask(scene, email="warm@example.com")
    seen = []
    for one in whom:
        with commands.counted() as sent:
            answer = ask(scene, **one)
        assert answer.json.pop("user_id") == one.get("user_id")
        assert answer.json.pop("email") == one.get("email")
        seen.append((answer.status_code, sorted(answer.json), sorted(answer.headers.keys()), list(sent)))
    assert seen[0][0] == 202
    assert seen[0] == seen[1] == seen[2]


def _disabled():
    user = UserFactory()
    User.objects(id=user.id).update(set__disabled_at=now())
    return user


def test_who_is_invited_is_told_in_the_service_and_by_mail(scene, grace, deliver, mail):
    patch(scene.owner, "/api/v1/users/me", {"name": "Ada Lovelace"})
    made = ask(scene, **by_id(grace)).json
    deliver()
    (told,) = grace.get("/api/v1/notifications").json["items"]
    assert (told["kind"], told["title"]) == ("project.invited", f"Ada Lovelace invites you to {scene.project.name}")
    assert f"/pages/invitations/{made['id']}" in told["text"]
    (message,) = mail.to("grace@example.com")
    assert f"/pages/invitations/{made['id']}" in text_of(message)
    assert scene.owner.user.email not in str(message)


def test_an_address_gets_one_mail_and_its_account_a_notice(scene, grace, deliver, mail):
    ask(scene, email="grace@example.com")
    deliver()
    (message,) = mail.to("grace@example.com")
    assert "tc_" in text_of(message)
    (told,) = grace.get("/api/v1/notifications").json["items"]
    assert told["kind"] == "project.invited"
    assert "tc_" not in Notification.objects.first().text


def test_an_account_that_has_not_proved_its_address_is_not_told_of_mail_to_it(scene, grace, deliver, mail):
    deliver()
    mail.empty()
    unprove(grace)
    ask(scene, email="grace@example.com")
    deliver()
    assert grace.get("/api/v1/notifications").json["items"] == []
    assert len(mail.to("grace@example.com")) == 1


def test_who_shares_a_project_is_added_at_once(scene, grace):
    other = ProjectFactory(owner=grace.user)
    MembershipFactory(project=other, user=scene.owner.user)
    for whom in (by_id(grace), {"email": "Grace@Example.com"}):
        answer = ask(scene, by=sign_in(scene.app, scene.owner.user), **whom)
        assert (answer.status_code, answer.json["user"]["name"]) == (201, "Grace Hopper")
        scene.owner.delete(answer.headers["Location"], headers=ANY)


def test_who_shared_a_project_that_is_deleted_is_asked(scene, grace):
    other = ProjectFactory(owner=scene.owner.user)
    MembershipFactory(project=other, user=grace.user)
    owner = sign_in(scene.app, scene.owner.user)
    assert owner.delete(f"/api/v1/projects/{other.id}", headers=ANY).status_code == 204
    assert ask(scene, by=owner, **by_id(grace)).status_code == 202


def test_a_token_for_one_project_knows_no_one_of_others(scene, grace):
    MembershipFactory(project=ProjectFactory(owner=scene.owner.user), user=grace.user)
    token = token_client(scene, ["members:write"], scene.project.id)
    assert ask(scene, by=token, **by_id(grace)).status_code == 202
    assert ask(scene, by=token_client(scene, ["members:write"]), **by_id(grace)).status_code == 201


def test_a_service_account_is_added_at_once(scene, caller):
    body = {"name": "Importer"}
    made = caller(role="admin").post("/api/v1/service-accounts", json=body).json
    assert ask(scene, user_id=made["id"]).status_code == 201


def test_where_the_operator_says_so_no_one_is_asked_but_unproved_addresses(scene, grace, other_app):
    owner = sign_in(other_app(direct_membership=True), scene.owner.user)
    unprove(grace)
    assert ask(scene, by=owner, email="grace@example.com").status_code == 202
    assert ask(scene, by=owner, user_id=UNKNOWN_ID).status_code == 202
    assert ask(scene, by=owner, **by_id(grace)).status_code == 201


def test_no_one_is_joined_by_an_address_that_was_not_proved(scene, grace):
    MembershipFactory(project=ProjectFactory(owner=scene.owner.user), user=grace.user)
    unprove(grace)
    owner = sign_in(scene.app, scene.owner.user)
    assert ask(scene, by=owner, email="grace@example.com").status_code == 202
    assert ask(scene, by=owner, **by_id(grace)).status_code == 201


@pytest.mark.parametrize("proved", [True, False])
def test_a_member_is_not_invited(scene, proved):
    member = scene.member()
    if not proved:
        unprove(member)
    for whom in (by_id(member), {"email": member.user.email}):
        assert_problem(ask(scene, **whom), 409, code="member.exists")
    body = {"email": member.user.email, "role": "owner"}
    assert_problem(scene.owner.post(f"{scene.project_path}/invitations", json=body), 409, code="member.exists")


def test_another_role_replaces_what_waits(scene, grace):
    first, second = (ask(scene, **by_id(grace), role=role).json for role in ("viewer", "manager"))
    assert [item["id"] for item in grace.get(MINE).json["items"]] == [second["id"]]
    assert grace.post(f"{MINE}/{first['id']}/accept").status_code == 404
    assert grace.post(f"{MINE}/{second['id']}/accept").json["role"] == "manager"


def test_an_invitation_by_id_and_one_by_address_are_answered_by_one_acceptance(scene, grace):
    made = [ask(scene, **whom).json for whom in (by_id(grace), {"email": "grace@example.com"})]
    assert len(grace.get(MINE).json["items"]) == 2
    assert grace.post(f"{MINE}/{made[0]['id']}/accept").status_code == 200
    assert grace.get(MINE).json["items"] == []
    assert sorted(Invitation.objects.scalar("state")) == ["accepted", "revoked"]


def revoke(scene, made):
    scene.owner.delete(f"{scene.project_path}/invitations/{made['id']}", headers=ANY)


def expire(scene, made):
    Invitation.objects(id=made["id"]).update(set__expires_at=now())


def delete_the_project(scene, made):
    scene.owner.delete(scene.project_path, headers=ANY)


def disable_the_inviter(scene, made):
    User.objects(id=scene.owner.user.id).update(set__disabled_at=now())


@pytest.mark.parametrize("ending", [revoke, expire, delete_the_project, disable_the_inviter])
def test_what_is_over_before_it_was_accepted_makes_no_one_a_member(scene, grace, ending):
    made = ask(scene, **by_id(grace)).json
    ending(scene, made)
    assert grace.post(f"{MINE}/{made['id']}/accept").status_code == 404
    assert grace.user.id not in roles(scene)


def test_a_disabled_account_accepts_nothing(scene, grace):
    made = ask(scene, **by_id(grace)).json
    User.objects(id=grace.user.id).update(set__disabled_at=now())
    users.raise_access_versions([grace.user.id])
    assert grace.post(f"{MINE}/{made['id']}/accept").status_code == 401


def test_who_invited_learns_nothing_when_the_invited_account_is_deleted(scene, grace):
    made = [ask(scene, **whom).json["id"] for whom in (by_id(grace), {"email": "grace@example.com"})]
    assert grace.delete("/api/v1/users/me", headers=ANY).status_code == 204
    rows = scene.owner.get(f"{scene.project_path}/invitations").json["items"]
    assert {row["id"]: (row["state"], row["revision"]) for row in rows} == dict.fromkeys(made, ("pending", 1))


def test_invitations_have_one_budget_and_members_added_at_once_none(scene, other_app, caller):
    known = [UserFactory() for _ in range(4)]
    other = ProjectFactory(owner=scene.owner.user)
    for user in known:
        MembershipFactory(project=other, user=user)
    owner = sign_in(other_app(ratelimit_enabled=True, ratelimit_invite="2/hour"), scene.owner.user)
    assert {ask(scene, by=owner, user_id=str(user.id)).status_code for user in known} == {201}
    assert ask(scene, by=owner, user_id=str(ObjectId())).status_code == 202
    body = {"email": "x@example.com", "role": "viewer"}
    assert owner.post(f"{scene.project_path}/invitations", json=body).status_code == 201
    assert ask(scene, by=owner, user_id=str(ObjectId())).status_code == 429
