"""Administrators: find, disable, change roles, log out; and never no one left to administer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from migrations.scripts import m202611272301_locale_of_accounts as migration
from taskmanager.core.storage.database import database
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from tests.problems import assert_problem
from tests.scene import patch

USERS = "/api/v1/users"
ME = f"{USERS}/me"


@pytest.fixture
def admin(caller):
    return caller(role="admin", name="Root")


def emails(client, query=""):
    return [row["email"] for row in client.get(f"{USERS}?{query}").json["items"]]


def test_accounts_of_before_languages_read_english(admin):
    german = UserFactory(locale="de")
    UserFactory()
    User._get_collection().update_many({"_id": {"$ne": german.id}}, {"$unset": {"locale": 1}})
    for _ in range(2):
        migration.upgrade(database())
    assert sorted(row["locale"] for row in admin.get(USERS).json["items"]) == ["de", "en", "en"]


@pytest.mark.parametrize("q", ["ada@", "ADA", "ada love", "lovelace", "Love"])
def test_accounts_are_found_by_the_beginning_of_address_name_or_word(admin, q):
    UserFactory(email="ada@example.com", name="Ada Lovelace")
    UserFactory(email="grace@example.com", name="Grace Hopper")
    assert emails(admin, f"q={q}") == ["ada@example.com"]


@pytest.mark.parametrize("q", [".*", "^", "a.a@", "(", "[", "%00x"])
def test_what_is_searched_for_is_text_and_no_pattern(admin, q):
    UserFactory(email="ada@example.com", name="Ada Lovelace")
    answer = admin.get(f"{USERS}?q={q}")
    assert answer.status_code in (200, 422)
    assert answer.status_code == 422 or answer.json["items"] == []


def test_a_new_name_is_found_and_the_old_one_is_not(admin):
    user = UserFactory(email="ada@example.com", name="Ada Byron")
    patch(admin, f"{USERS}/{user.id}", {"name": "Ada Lovelace"})
    assert (emails(admin, "q=lovelace"), emails(admin, "q=byron")) == (["ada@example.com"], [])


def test_accounts_are_listed_by_role_and_by_whether_they_are_disabled(admin):
    user = UserFactory(email="ada@example.com")
    assert emails(admin, "role=user") == ["ada@example.com"]
    patch(admin, f"{USERS}/{user.id}", {"disabled": True})
    assert emails(admin, "disabled=true") == ["ada@example.com"]
    assert emails(admin, "disabled=false&role=user") == []


def test_no_secret_of_an_account_is_shown(admin):
    assert not {"password_hash", "access_version", "search"} & admin.get(USERS).json["items"][0].keys()


def test_disabling_ends_every_session_at_once_and_enabling_brings_none_back(admin, caller):
    person = caller()
    path = f"{USERS}/{person.user.id}"
    assert patch(admin, path, {"disabled": True}).json["disabled_at"]
    assert person.get(ME).status_code == 401
    assert patch(admin, path, {"disabled": False}).json["disabled_at"] is None
    assert_problem(person.get(ME), 401, code="auth.session_ended")


def test_a_new_role_holds_in_sessions_that_run(app, admin, caller):
    person = caller()
    patch(admin, f"{USERS}/{person.user.id}", {"role": "admin"})
    assert person.get(USERS).status_code == 200
    patch(admin, f"{USERS}/{person.user.id}", {"role": "user"})
    assert_problem(person.get(USERS), 403, code="permission.denied")


def test_a_user_is_logged_out_everywhere(app, admin):
    user = UserFactory()
    sessions = [sign_in(app, user) for _ in range(2)]
    assert admin.post(f"{USERS}/{user.id}/sessions/end").status_code == 204
    assert [session.get(ME).status_code for session in sessions] == [401, 401]
    assert sign_in(app, user).get(ME).status_code == 200


def test_a_reset_mail_is_sent_to_a_user(admin, deliver, mail):
    user = UserFactory()
    assert admin.post(f"{USERS}/{user.id}/password-reset").status_code == 202
    deliver()
    assert mail.token_to(user.email)


@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}])
def test_the_last_administrator_stays(admin, change):
    assert_problem(patch(admin, f"{USERS}/{admin.user.id}", change), 409)
    assert admin.get(USERS).status_code == 200


def test_no_one_disables_their_own_account(admin, caller):
    caller(role="admin")
    assert_problem(patch(admin, f"{USERS}/{admin.user.id}", {"disabled": True}), 409, code="user.yourself")


def test_two_administrators_who_demote_each_other_at_once_do_not_both_succeed(admin, caller):
    other = caller(role="admin")
    pairs = [(admin, other.user.id), (other, admin.user.id)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: patch(pair[0], f"{USERS}/{pair[1]}", {"role": "user"}), pairs))
    assert User.objects(role="admin").count() == 1


def test_two_who_change_an_account_from_one_state_do_not_both_succeed(admin):
    user = UserFactory()
    etag = admin.get(f"{USERS}/{user.id}").headers["ETag"]
    answers = [patch(admin, f"{USERS}/{user.id}", {"name": f"N{n}"}, **{"If-Match": etag}) for n in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]


@pytest.mark.parametrize("field", ["email", "password_hash", "access_version", "kind", "disabled_at"])
def test_what_is_not_an_administrators_to_change_is_refused(admin, field):
    assert_problem(patch(admin, f"{USERS}/{admin.user.id}", {field: "x"}), 422)
