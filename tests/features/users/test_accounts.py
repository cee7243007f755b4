"""Accounts: registering, logging in, changing."""

import pytest

from taskmanager.features.users import passwords
from taskmanager.features.users.login_methods import service as login_methods
from taskmanager.features.users.login_methods.service import LoginClaims, LoginMethod
from taskmanager.features.users.models import User
from taskmanager.features.users.schemas import Credentials
from taskmanager.testing.factories import UserFactory
from tests.problems import assert_problem
from tests.scene import patch

ADA = {"email": "Ada@Example.com", "password": "correct horse", "name": "Ada"}


def register(client, **changes):
    return client.post("/api/v1/auth/register", json=ADA | changes)


def log_in(client, email="ada@example.com", password="correct horse"):
    return client.post("/api/v1/auth/login", json={"email": email, "password": password})


def test_registering_answers_the_account_without_its_password(client):
    answer = register(client)
    assert answer.status_code == 201
    assert answer.json.keys() == {
        "id",
        "email",
        "name",
        "role",
        "timezone",
        "locale",
        "email_verified_at",
        "revision",
        "created_at",
        "updated_at",
    }
    assert (answer.json["email"], answer.json["role"]) == ("ada@example.com", "user")


def test_an_address_has_one_account_however_it_is_spelt(client):
    register(client)
    assert_problem(register(client, email="ADA@example.COM"), 409, code="user.email_taken")


def test_a_login_of_a_plugin_finds_the_account_however_it_spells_the_address(app, client):
    user = UserFactory(email="ada@example.com")
    claims = LoginClaims(subject="1", email=" Ada@Example.COM", email_verified=True)
    method = LoginMethod("badge", "Log in by a badge", Credentials, lambda _data: claims)
    with app.test_request_context():
        assert login_methods.login(method, "sample", {}, user_agent="", address="").user.id == user.id
    assert User.objects.count() == 1


@pytest.mark.parametrize("common", ["password", "PASSWORD", "12345678", "qwertyuiop", "iloveyou1", "ada@example.com"])
def test_a_password_that_is_tried_first_is_refused(client, common):
    problem = assert_problem(register(client, password=common), 422)
    assert problem["errors"][0]["code"] == "password.too_common"
    assert problem["errors"][0]["location"] == "body.password"


def test_a_long_password_needs_no_digits_or_signs(client):
    assert register(client, password="ordinary words in a row").status_code == 201


@pytest.mark.parametrize(
    "wrong", [{"password": "short"}, {"password": "x" * 129}, {"email": "no address"}, {"name": " "}, {"role": "admin"}]
)
def test_what_cannot_be_an_account_is_refused(client, wrong):
    assert_problem(register(client, **wrong), 422)
    assert User.objects.count() == 0


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(client):
    register(client)
    answers = [log_in(client, password="wrong horse"), log_in(client, email="eve@example.com")]
    bodies = [{name: value for name, value in a.json.items() if name != "request_id"} for a in answers]
    assert [a.status_code for a in answers] == [401, 401]
    assert bodies[0] == bodies[1]


def test_a_disabled_account_cannot_log_in_and_its_token_is_refused(caller):
    person = caller()
    User.objects(id=person.user.id).update(set__disabled_at=person.user.created_at, inc__access_version=1)
    assert log_in(person, person.user.email, "correct horse battery staple").status_code == 401


def test_every_character_of_a_long_password_counts(client):
    long = "a" * 100
    register(client, password=long + "1")
    assert log_in(client, password=long + "1").status_code == 200
    assert log_in(client, password=long + "2").status_code == 401


def test_the_hash_is_bcrypt_with_the_cost_of_the_settings(app, settings):
    assert passwords.make_hash("correct horse").startswith(f"$2b${settings.bcrypt_cost:02d}$")


def test_an_account_changes_its_own_name_and_members_see_it(scene):
    member = scene.member()
    scene.owner.get(scene.members_path)
    assert patch(member, "/api/v1/users/me", {"name": "Grace"}).json["revision"] == 2
    names = [row["user"]["name"] for row in scene.owner.get(scene.members_path).json["items"]]
    assert "Grace" in names


@pytest.mark.parametrize("field", ["email", "role", "id", "password_hash", "access_version"])
def test_an_account_cannot_change_what_is_not_its_to_change(caller, field):
    assert patch(caller(), "/api/v1/users/me", {field: "admin"}).status_code == 422
