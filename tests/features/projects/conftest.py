"""Invitations by mail, and who is invited."""

import re

import pytest

from taskmanager.core.clock import now
from taskmanager.features.projects.models import Membership
from taskmanager.features.users.models import User
from taskmanager.testing.mailbox import text_of
from tests.problems import assert_problem

EMAIL = "grace@example.com"


@pytest.fixture
def invite(scene, deliver, mail):
    """Invites and answers the invitation and the token that its mail brought."""

    def invite(email=EMAIL, role="member", by=None):
        mail.empty()
        answer = (by or scene.owner).post(f"{scene.project_path}/invitations", json={"email": email, "role": role})
        assert answer.status_code == 201, answer.text
        deliver()
        (message,) = mail.to(email)
        return answer.json, re.search(r"tc_[\w-]+", text_of(message))[0]

    return invite


@pytest.fixture
def grace(caller):
    return caller(email=EMAIL, name="Grace Hopper")


def role_of(scene, person):
    membership = Membership.objects(project_id=scene.project.id, user_id=person.user.id).first()
    return membership and membership.role


def refused_token(answer):
    assert_problem(answer, 404, code="token.invalid")


def confirm(person):
    User.objects(id=person.user.id).update(set__email_verified_at=now())
