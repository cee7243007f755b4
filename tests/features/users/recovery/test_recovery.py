"""Confirming addresses, resetting and changing passwords, changing the address: by mail, never telling who is here."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from taskmanager.features.users.models import User
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.problems import assert_problem

AUTH = "/api/v1/auth"
ME = "/api/v1/users/me"
NEW = "an entirely new password"


def log_in(client, email, password=PASSWORD):
    return client.post(f"{AUTH}/login", json={"email": email, "password": password})


def ask_reset(client, email):
    return client.post(f"{AUTH}/password-reset", json={"email": email})


def reset(client, token, password=NEW):
    return client.post(f"{AUTH}/password-reset/confirm", json={"token": token, "password": password})


@pytest.fixture
def user(app):
    return UserFactory(email="ada@example.com")


@pytest.fixture
def token(client, user, deliver, mail):
    """A token that resets the password of `user`."""
    assert ask_reset(client, user.email).status_code == 202
    deliver()
    return mail.token_to(user.email)


def register(client, email="grace@example.com"):
    return client.post(f"{AUTH}/register", json={"email": email, "password": PASSWORD, "name": "Grace"})


# --- confirming an address ------------------------------------------------------------------------------------


def test_a_new_account_gets_one_mail_whose_token_confirms_the_address(client, deliver, mail):
    assert register(client).json["email_verified_at"] is None
    deliver()
    assert len(mail.to("grace@example.com")) == 1
    token = mail.token_to("grace@example.com")
    assert client.post(f"{AUTH}/verify-email", json={"token": token}).status_code == 204
    assert User.objects.get(email="grace@example.com").email_verified_at is not None
    assert_problem(client.post(f"{AUTH}/verify-email", json={"token": token}), 404)


def test_an_unconfirmed_address_may_log_in_unless_the_operator_says_no(client, other_app):
    register(client)
    assert log_in(client, "grace@example.com").status_code == 200
    strict = other_app(require_verified_email=True).test_client()
    assert_problem(log_in(strict, "grace@example.com"), 403, code="auth.email_unverified")
    assert_problem(log_in(strict, "grace@example.com", "wrong words"), 401, code="auth.invalid_credentials")


def test_where_addresses_must_be_confirmed_registration_never_tells_who_is_here(other_app, user, deliver, mail):
    strict = other_app(require_verified_email=True).test_client()
    answers = [register(strict, email) for email in ("new@example.com", user.email)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(202, b""), (202, b"")]
    deliver()
    assert mail.token_to("new@example.com")
    assert "already" in mail.to(user.email)[-1]["Subject"]
    assert log_in(strict, user.email).status_code == 200


def test_the_mail_can_be_had_again_and_then_the_older_token_is_good_no_more(client, deliver, mail):
    register(client)
    deliver()
    first = mail.token_to("grace@example.com")
    for email in ("grace@example.com", "unknown@example.com"):
        answer = client.post(f"{AUTH}/verify-email/request", json={"email": email})
        assert (answer.status_code, answer.data) == (202, b"")
    deliver()
    assert mail.to("unknown@example.com") == []
    assert_problem(client.post(f"{AUTH}/verify-email", json={"token": first}), 404)
    token = mail.token_to("grace@example.com")
    assert client.post(f"{AUTH}/verify-email", json={"token": token}).status_code == 204


# --- resetting a password -------------------------------------------------------------------------------------


def test_a_reset_sets_the_password_and_ends_every_session(client, caller, user, token):
    session = caller(user)
    assert reset(client, token).status_code == 204
    assert_problem(session.get(ME), 401, code="auth.session_ended")
    assert log_in(client, user.email).status_code == 401
    assert log_in(client, user.email, NEW).status_code == 200


def test_a_token_resets_once_also_when_it_comes_many_times_at_once(app, user, token):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: reset(app.test_client(), token, f"{NEW} {n}"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7


def test_a_token_ends_after_thirty_minutes(client, user, deliver, mail, settings):
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        ask_reset(client, user.email)
        deliver()
        clock.shift(settings.password_reset_minutes * 60 + 1)
        assert_problem(reset(client, mail.token_to(user.email)), 404)


def test_an_unknown_address_gets_the_same_answer_and_no_mail(client, user, deliver, mail):
    answers = [ask_reset(client, email) for email in (user.email, "unknown@example.com")]
    assert [(answer.status_code, answer.data) for answer in answers] == [(202, b"")] * 2
    deliver()
    assert [str(message["To"]) for message in mail.messages] == [f"{user.name} <{user.email}>"]


def test_asking_for_a_reset_costs_the_same_commands_whoever_it_is(client, user, commands):
    counts = []
    for email in (user.email, "unknown@example.com"):
        with commands.counted() as sent:
            ask_reset(client, email)
        counts.append(list(sent))
    assert counts[0] == counts[1]


def test_a_disabled_account_gets_no_token_and_one_it_had_opens_nothing(client, user, token, deliver, mail):
    User.objects(id=user.id).update(set__disabled_at=user.created_at)
    assert_problem(reset(client, token), 404)
    mail.empty()
    ask_reset(client, user.email)
    deliver()
    assert mail.messages == []


def test_a_password_that_is_refused_leaves_the_token_good(client, token):
    assert_problem(reset(client, token, "password"), 422)
    assert_problem(reset(client, token, "short"), 422)
    assert reset(client, token).status_code == 204


def test_a_token_for_one_purpose_is_none_for_another(client, token):
    assert_problem(client.post(f"{AUTH}/verify-email", json={"token": token}), 404)
    assert_problem(client.post(f"{ME}/email/confirm", json={"token": token}), 404)
    assert reset(client, token).status_code == 204


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: "tm_" + token[3:],
        lambda token: token.swapcase(),
        lambda token: token[:-3] + "AAA",
        lambda token: "tc_",
        lambda token: "tc_" + "A" * 80,
        lambda token: "\ud83d\ude00",
    ],
)
def test_a_spoilt_token_is_refused(client, token, spoil):
    assert_problem(reset(client, spoil(token)), 404)


@pytest.mark.parametrize(
    "email", [["ada@example.com", "eve@example.com"], {"$ne": None}, None, "ada@example.com,eve@a.de"]
)
def test_a_reset_goes_to_one_address_only(client, user, email, deliver, mail):
    assert_problem(client.post(f"{AUTH}/password-reset", json={"email": email}), 422)
    deliver()
    assert mail.messages == []


def test_the_database_does_not_hold_the_token(token):
    stored = OneTimeToken._get_collection().find_one()
    assert token not in str(stored)
    assert token[3:] not in str(stored)


def test_a_reset_confirms_the_address(client, user, deliver, mail):
    User.objects(id=user.id).update(unset__email_verified_at=True)
    ask_reset(client, user.email)
    deliver()
    reset(client, mail.token_to(user.email))
    assert User.objects.one(user.id).email_verified_at is not None


# --- changing the password ------------------------------------------------------------------------------------


def change(client, current=PASSWORD, new=NEW):
    return client.post(f"{ME}/password", json={"current_password": current, "new_password": new})


def test_a_new_password_ends_the_other_sessions_and_tells_the_owner(caller, client, user, deliver, mail):
    here, there = caller(user), caller(user)
    assert change(here).status_code == 204
    assert here.get(ME).status_code == 200
    assert_problem(there.get(ME), 401, code="auth.session_ended")
    assert log_in(client, user.email, NEW).status_code == 200
    deliver()
    assert "password was changed" in mail.to(user.email)[-1]["Subject"]


def test_the_present_password_must_be_proved(caller, user):
    person = caller(user)
    assert_problem(change(person, current="a wrong password"), 403, code="auth.wrong_password")
    assert_problem(change(person, new="password"), 422)
    assert log_in(person, user.email).status_code == 200


def test_a_new_password_makes_reset_tokens_good_no_more(caller, client, user, token):
    change(caller(user))
    assert_problem(reset(client, token, "yet another password"), 404)


# --- changing the address -------------------------------------------------------------------------------------


def ask_move(client, email="ada@new.example.com", password=PASSWORD):
    return client.post(f"{ME}/email", json={"email": email, "password": password})


def confirm(client, token):
    return client.post(f"{ME}/email/confirm", json={"token": token})


def test_an_address_changes_when_both_have_confirmed(caller, client, user, deliver, mail):
    person = caller(user)
    assert ask_move(person).status_code == 202
    deliver()
    assert confirm(client, mail.token_to("ada@new.example.com")).json == {"changed": False}
    assert person.get(ME).json["email"] == "ada@example.com"
    assert confirm(client, mail.token_to("ada@example.com")).json == {"changed": True}
    assert person.get(ME).json["email"] == "ada@new.example.com"
    assert log_in(client, "ada@new.example.com").status_code == 200
    assert log_in(client, "ada@example.com").status_code == 401
    deliver()
    assert "changed" in mail.to("ada@example.com")[-1]["Subject"]


def test_an_address_that_was_never_confirmed_is_not_asked(caller, client, user, deliver, mail):
    deliver()
    User.objects(id=user.id).update(unset__email_verified_at=True)
    person = caller(user)
    ask_move(person)
    deliver()
    assert mail.to("ada@example.com") == []
    assert confirm(client, mail.token_to("ada@new.example.com")).json == {"changed": True}


def test_a_change_of_address_needs_the_password(caller, user, deliver, mail):
    assert_problem(ask_move(caller(user), password="a wrong password"), 403, code="auth.wrong_password")
    deliver()
    assert mail.messages == []


def test_an_address_that_has_an_account_cannot_be_taken(caller, client, user, deliver, mail):
    other = UserFactory(email="eve@example.com")
    person = caller(user)
    assert ask_move(person, other.email).status_code == 202
    deliver()
    confirm(client, mail.token_to(user.email))
    assert_problem(confirm(client, mail.token_to(other.email)), 409, code="user.email_taken")
    assert person.get(ME).json["email"] == user.email


def test_a_later_wish_makes_the_tokens_of_the_earlier_one_good_no_more(caller, client, user, deliver, mail):
    person = caller(user)
    ask_move(person, "one@example.com")
    deliver()
    ask_move(person, "two@example.com")
    deliver()
    assert_problem(confirm(client, mail.token_to("one@example.com")), 404)


def test_reset_tokens_of_the_old_address_are_good_no_more(caller, client, user, token, deliver, mail):
    ask_move(caller(user))
    deliver()
    for address in ("ada@new.example.com", "ada@example.com"):
        confirm(client, mail.token_to(address))
    assert_problem(reset(client, token), 404)


@pytest.mark.parametrize("path", ["password", "email", "sessions"])
def test_no_one_but_the_owner_is_asked(client, path):
    method = "GET" if path == "sessions" else "POST"
    assert client.open(f"{ME}/{path}", method=method, json={}).status_code == 401
