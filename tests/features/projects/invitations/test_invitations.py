"""Invitations: who may send and answer them, what the mail says, and that no one learns who has an account."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskmanager.core.clock import now
from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import Invitation, Membership
from taskmanager.features.users.models import User
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.testing.factories import MembershipFactory
from taskmanager.testing.mailbox import text_of
from tests.features.projects.conftest import confirm, refused_token, role_of
from tests.problems import assert_problem
from tests.scene import patch

EMAIL = "grace@example.com"
ANY = {"If-Match": "*"}
ACCEPT, REFUSE, MINE = "/api/v1/invitations/accept", "/api/v1/invitations/refuse", "/api/v1/invitations"


@pytest.fixture
def path(scene) -> str:
    return f"{scene.project_path}/invitations"


def test_who_has_the_mail_joins(scene, invite, grace):
    _, token = invite(role="member")
    answer = grace.post(ACCEPT, json={"token": token})
    assert answer.status_code == 200, answer.text
    assert (answer.json["role"], answer.json["user_id"]) == ("member", str(grace.user.id))
    assert patch(grace, scene.task_path, {"title": "Mine"}).status_code == 200
    assert User.objects.one(grace.user.id).email_verified_at


def test_the_mail_tells_what_and_who_and_how(scene, invite, mail):
    patch(scene.owner, "/api/v1/users/me", {"name": "Ada Lovelace"})
    invite(role="commenter")
    (message,) = mail.to(EMAIL)
    assert message["Subject"] == f"Ada Lovelace invites you to {scene.project.name}"
    text = text_of(message)
    assert all(word in text for word in (scene.project.name, "Ada Lovelace", "Commenter", EMAIL, "/pages/invitations/"))


def test_people_with_and_without_an_account_get_the_same_answer_and_mail(invite, mail, caller):
    caller(email="known@example.com")
    shapes, mails = set(), set()
    for email in ("known@example.com", "unknown@example.com"):
        body, token = invite(email)
        assert (body["email"], body["state"], body["role"]) == (email, "pending", "member")
        shapes.add(tuple(body))
        text = text_of(mail.to(email)[0]).replace(token, "…").replace(email, "…")
        mails.add(re.sub(r"/invitations/\w+|\d+:\d\d", "…", text))
    assert len(shapes) == len(mails) == 1


def test_a_name_of_a_project_becomes_no_header(scene, invite, mail):
    patch(scene.owner, scene.project_path, {"name": "x" * 200})
    invite()
    (message,) = mail.to(EMAIL)
    assert message["Bcc"] is None
    assert len(message["Subject"]) <= 150


def test_no_event_holds_the_token_or_the_address(invite):
    _, token = invite()
    event = Event.objects(kind="invitation.created").first()
    row = OneTimeToken.objects.first()
    told = repr(event.to_mongo())
    assert event.audited
    assert token not in told
    assert EMAIL not in told
    assert repr(row.nonce) not in told


def test_another_account_cannot_accept_and_the_token_stays_good(scene, invite, grace):
    _, token = invite()
    assert_problem(scene.who("stranger").post(ACCEPT, json={"token": token}), 403, code="invitation.other_address")
    assert grace.post(ACCEPT, json={"token": token}).status_code == 200


def test_without_a_login_no_one_accepts(client, invite):
    _, token = invite()
    assert client.post(ACCEPT, json={"token": token}).status_code == 401


def test_a_token_is_good_once(scene, invite, grace):
    _, token = invite()
    grace.post(ACCEPT, json={"token": token})
    refused_token(grace.post(ACCEPT, json={"token": token}))
    scene.owner.delete(f"{scene.members_path}/{grace.user.id}", headers=ANY)
    refused_token(grace.post(ACCEPT, json={"token": token}))
    assert role_of(scene, grace) is None


def test_refusing_needs_no_account(scene, client, invite, grace, path):
    body, token = invite()
    assert client.post(REFUSE, json={"token": token}).status_code == 204
    refused_token(client.post(REFUSE, json={"token": token}))
    refused_token(grace.post(ACCEPT, json={"token": token}))
    assert scene.owner.get(f"{path}/{body['id']}").json["state"] == "refused"
    assert Event.objects(kind="invitation.refused").first().actor_id is None


def expire(scene, body):
    Invitation.objects(id=body["id"]).update(set__expires_at=now())
    OneTimeToken.objects.update(set__expires_at=now())


def expire_the_invitation_alone(scene, body):
    Invitation.objects(id=body["id"]).update(set__expires_at=now())


def revoke(scene, body):
    path = f"{scene.project_path}/invitations/{body['id']}"
    assert scene.owner.delete(path, headers=ANY).status_code == 204


def delete_the_project(scene, body):
    scene.owner.delete(scene.project_path, headers=ANY)


def invite_again(scene, body):
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": EMAIL, "role": "viewer"})


@pytest.mark.parametrize("ending", [expire, expire_the_invitation_alone, revoke, delete_the_project, invite_again])
def test_what_is_over_is_over(scene, client, invite, grace, ending):
    body, token = invite()
    confirm(grace)
    ending(scene, body)
    refused_token(grace.post(ACCEPT, json={"token": token}))
    refused_token(client.post(REFUSE, json={"token": token}))
    assert grace.post(f"{MINE}/{body['id']}/accept").status_code == 404
    assert role_of(scene, grace) is None


@pytest.mark.parametrize("loss", ["demoted", "removed", "disabled", "below the role"])
def test_who_invited_must_still_be_allowed_to(scene, invite, grace, loss):
    other = scene.member("owner" if loss == "below the role" else "manager")
    body, token = invite(role="owner" if loss == "below the role" else "member", by=other)
    confirm(grace)
    member = f"{scene.members_path}/{other.user.id}"
    if loss == "removed":
        scene.owner.delete(member, headers=ANY)
    elif loss == "disabled":
        User.objects(id=other.user.id).update(set__disabled_at=now())
    else:
        patch(scene.owner, member, {"role": "manager" if loss == "below the role" else "viewer"})
    refused_token(grace.post(ACCEPT, json={"token": token}))
    assert grace.post(f"{MINE}/{body['id']}/accept").status_code == 404
    assert role_of(scene, grace) is None


@pytest.mark.parametrize(("had", "invited", "has"), [("manager", "viewer", "manager"), ("viewer", "member", "member")])
def test_a_member_keeps_the_higher_role(scene, invite, caller, had, invited, has):
    member = caller()
    _, token = invite(member.user.email, invited)
    MembershipFactory(project=scene.project, user=member.user, role=had)
    assert member.post(ACCEPT, json={"token": token}).json["role"] == has
    assert role_of(scene, member) == has


def test_a_second_invitation_replaces_the_first(scene, invite, grace, path):
    first, _ = invite(role="viewer")
    second, token = invite(role="manager")
    states = {row["id"]: row["state"] for row in scene.owner.get(path).json["items"]}
    assert states == {first["id"]: "revoked", second["id"]: "pending"}
    assert grace.post(ACCEPT, json={"token": token}).json["role"] == "manager"


def test_of_many_invitations_of_one_address_at_once_one_waits(scene, path):
    body = {"email": EMAIL, "role": "viewer"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: scene.owner.post(path, json=body), range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert Invitation.objects(state="pending").count() == 1


def test_accepting_twice_at_once_makes_one_membership(scene, invite, grace):
    body, token = invite()
    confirm(grace)
    ways = [(ACCEPT, {"token": token}), (ACCEPT, {"token": token}), (f"{MINE}/{body['id']}/accept", None)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda way: grace.post(way[0], json=way[1]) if way[1] else grace.post(way[0]), ways))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {404, 422, 503}
    assert Membership.objects(project_id=scene.project.id, user_id=grace.user.id).count() == 1


def test_waiting_invitations_are_seen_once_the_address_is_confirmed(scene, invite, grace, deliver):
    deliver()
    User.objects(id=grace.user.id).update(unset__email_verified_at=True)
    body, _ = invite()
    assert grace.get(MINE).json["items"] == []
    assert grace.post(f"{MINE}/{body['id']}/accept").status_code == 404
    confirm(grace)
    answer = grace.get(f"{MINE}?with_total=true")
    (mine,) = answer.json["items"]
    assert answer.json["total"] == 1
    assert (mine["id"], mine["project_name"], mine["inviter_name"]) == (
        body["id"],
        scene.project.name,
        scene.owner.user.name,
    )
    assert scene.owner.user.email not in answer.text
    assert grace.get(f"{MINE}?fields=project_name").json["items"] == [{"project_name": scene.project.name}]
    assert grace.post(f"{MINE}/{body['id']}/accept").json["role"] == "member"
    assert grace.get(MINE).json["items"] == []


def test_one_can_refuse_when_logged_in(scene, invite, grace):
    body, token = invite()
    confirm(grace)
    assert grace.post(f"{MINE}/{body['id']}/refuse").status_code == 204
    refused_token(grace.post(ACCEPT, json={"token": token}))


@pytest.mark.parametrize("answer", ["accept", "refuse"])
def test_no_one_answers_the_invitation_of_another(scene, invite, answer):
    body, _ = invite()
    stranger = scene.who("stranger")
    confirm(stranger)
    confirm(scene.owner)
    assert stranger.get(MINE).json["items"] == []
    for person in (stranger, scene.owner):
        assert person.post(f"{MINE}/{body['id']}/{answer}").status_code == 404
