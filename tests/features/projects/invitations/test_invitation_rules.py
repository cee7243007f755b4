"""Who invites, who sees invitations, and how many there may be."""

from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.features.projects.invitations import service as invitations
from taskmanager.features.projects.models import Invitation
from taskmanager.testing.clients import sign_in
from tests.problems import assert_problem

EMAIL = "grace@example.com"
ANY = {"If-Match": "*"}
ACCEPT, REFUSE = "/api/v1/invitations/accept", "/api/v1/invitations/refuse"


@pytest.fixture
def path(scene) -> str:
    return f"{scene.project_path}/invitations"


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("viewer", 403), ("stranger", 404), ("anonymous", 401)])
def test_others_neither_invite_nor_see_who_is_invited(scene, invite, path, who, status):
    body, _ = invite()
    person = scene.who(who)
    one = f"{path}/{body['id']}"
    answers = [
        person.post(path, json={"email": "x@example.com", "role": "viewer"}),
        person.get(path),
        person.get(one),
        person.delete(one, headers=ANY),
    ]
    assert {answer.status_code for answer in answers} == {status}


def test_no_one_invites_above_their_own_role(scene, path):
    answer = scene.member("manager").post(path, json={"email": EMAIL, "role": "owner"})
    assert_problem(answer, 403, code="member.role_too_high")


def test_an_invitation_is_found_in_its_own_project_alone(scene, invite, caller):
    body, _ = invite()
    other = scene.owner.post("/api/v1/projects", json={"key": "OTHER", "name": "Other"}).json["id"]
    path = f"/api/v1/projects/{other}/invitations"
    assert scene.owner.get(f"{path}/{body['id']}").status_code == 404
    assert scene.owner.delete(f"{path}/{body['id']}", headers=ANY).status_code == 404


def test_what_was_answered_cannot_be_revoked(scene, invite, grace, path):
    body, token = invite()
    grace.post(ACCEPT, json={"token": token})
    assert_problem(scene.owner.delete(f"{path}/{body['id']}", headers=ANY), 409, code="invitation.answered")


def test_a_project_has_a_bounded_number_of_waiting_invitations(scene, path, monkeypatch):
    monkeypatch.setattr(invitations, "MAX_PENDING", 2)
    answers = [scene.owner.post(path, json={"email": f"p{n}@example.com", "role": "viewer"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    again = scene.owner.post(path, json={"email": "p1@example.com", "role": "member"})
    assert again.status_code == 201


def test_one_account_invites_so_often_and_no_more(scene, path, other_app):
    owner = sign_in(other_app(ratelimit_enabled=True, ratelimit_invite="2/hour"), scene.owner.user)
    answers = [owner.post(path, json={"email": f"p{n}@example.com", "role": "viewer"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]


def test_an_invitation_lasts_as_long_as_the_settings_say(invite, settings):
    body, _ = invite()
    left = Invitation.objects.one(body["id"]).expires_at - now()
    assert timedelta(days=settings.invitation_days, minutes=-1) < left <= timedelta(days=settings.invitation_days)


@pytest.mark.parametrize("token", ["", "x", "tc_x", "tl_" + "A" * 80, "\n", 5, None])
def test_what_is_no_token_is_refused(client, token):
    assert_problem(client.post(REFUSE, json={"token": token}), 404, 422)
