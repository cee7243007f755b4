"""The role owner is given in a session only."""

import pytest

from taskmanager.core.events.log import Event
from taskmanager.testing.factories import MembershipFactory, ProjectFactory
from tests.features.projects.invitations.asking import ask, by_id, roles
from tests.features.test_matrix import token_client
from tests.problems import assert_problem
from tests.scene import patch

MINE = "/api/v1/invitations"


@pytest.fixture
def token(scene, grace):
    """An API token of an owner, who shares another project with Grace."""
    MembershipFactory(project=ProjectFactory(owner=scene.owner.user), user=grace.user)
    return token_client(scene, ["members:write", "members:read", "projects:write"])


def test_a_token_adds_no_owner_and_invites_none(scene, token, grace):
    assert_problem(ask(scene, by=token, role="owner", **by_id(grace)), 403, code="auth.scope_missing")
    assert_problem(ask(scene, by=token, role="owner", email="x@example.com"), 403, code="auth.scope_missing")
    body = {"email": "x@example.com", "role": "owner"}
    answer = token.post(f"{scene.project_path}/invitations", json=body)
    assert_problem(answer, 403, code="auth.scope_missing")
    assert ask(scene, by=token, role="manager", **by_id(grace)).status_code == 201


def test_a_token_makes_no_member_an_owner(scene, token):
    member = scene.member("manager")
    path = f"{scene.members_path}/{member.user.id}"
    assert_problem(patch(token, path, {"role": "owner"}), 403, code="auth.scope_missing")
    assert token.post(f"{scene.project_path}/transfer", json=by_id(member)).status_code == 403
    assert roles(scene)[member.user.id] == "manager"
    assert patch(token, path, {"role": "viewer"}).status_code == 200
    assert Event.objects(kind="project.transferred").count() == 0


def test_a_session_makes_an_owner_by_every_way(scene, grace):
    made = ask(scene, role="owner", **by_id(grace)).json
    assert grace.post(f"{MINE}/{made['id']}/accept").json["role"] == "owner"
    member = scene.member()
    assert patch(scene.owner, f"{scene.members_path}/{member.user.id}", {"role": "owner"}).status_code == 200
