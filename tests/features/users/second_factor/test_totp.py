"""The second factor: set up, asked for at login, good once, and counted when it is wrong."""

from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
import time_machine

from taskmanager.features.users.models import SecondFactor, User
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.problems import assert_problem

TOTP = "/api/v1/users/me/totp"
ME = "/api/v1/users/me"
AUTH = "/api/v1/auth"
NOON = "2026-12-01T12:00:00Z"


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


class Phone:
    """An authenticator app that has the secret of a user."""

    def __init__(self, person, clock):
        self.clock = clock
        self.totp = pyotp.TOTP(person.post(TOTP, json={"password": PASSWORD}).json["secret"])
        self.recovery = person.post(f"{TOTP}/confirm", json={"code": self.code()}).json["recovery_codes"]

    def code(self):
        """A code that was not used yet."""
        self.clock.shift(30)
        return self.totp.now()


@pytest.fixture
def person(clock, caller):
    return caller()


@pytest.fixture
def phone(person, clock):
    return Phone(person, clock)


def ticket(client, person):
    answer = client.post(f"{AUTH}/login", json={"email": person.user.email, "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json.keys() == {"token_type", "second_factor", "ticket", "expires_in"}
    assert answer.json["token_type"] == "ticket"
    return answer.json["ticket"]


def finish(client, ticket, code):
    return client.post(f"{AUTH}/totp", json={"ticket": ticket, "code": code})


def test_a_login_needs_a_code_once_the_second_factor_is_on(client, person, phone):
    answer = finish(client, ticket(client, person), phone.code())
    assert answer.status_code == 200
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.get(ME, headers=bearer).status_code == 200
    assert person.get(TOTP).json == {"enabled": True, "recovery_codes_left": 10}


def test_until_it_is_confirmed_nothing_changes(client, person):
    person.post(TOTP, json={"password": PASSWORD})
    answer = client.post(f"{AUTH}/login", json={"email": person.user.email, "password": PASSWORD})
    assert "access_token" in answer.json
    assert person.get(TOTP).json["enabled"] is False


def test_setting_it_up_needs_the_password_and_the_right_code(person, clock):
    assert_problem(person.post(TOTP, json={"password": "wrong words"}), 403, code="auth.wrong_password")
    person.post(TOTP, json={"password": PASSWORD})
    assert_problem(person.post(f"{TOTP}/confirm", json={"code": "000000"}), 403, code="totp.wrong_code")
    assert person.get(TOTP).json["enabled"] is False


def test_it_is_not_set_up_twice(person, phone):
    assert_problem(person.post(TOTP, json={"password": PASSWORD}), 409, code="totp.enabled")


def test_a_code_is_good_once(client, person, phone):
    code = phone.code()
    assert finish(client, ticket(client, person), code).status_code == 200
    assert_problem(finish(client, ticket(client, person), code), 401, code="auth.invalid_code")


def test_a_code_that_comes_many_times_at_once_logs_in_once(app, client, person, phone):
    known, code = ticket(client, person), phone.code()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: finish(app.test_client(), known, code), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5


def test_a_ticket_is_good_once_and_for_five_minutes(client, person, phone, clock):
    known = ticket(client, person)
    assert finish(client, known, phone.code()).status_code == 200
    assert_problem(finish(client, known, phone.code()), 401)
    known = ticket(client, person)
    clock.shift(301)
    assert_problem(finish(client, known, phone.code()), 401)


def test_an_older_code_is_refused_after_a_newer_one(client, person, phone):
    older, newer = phone.code(), phone.code()
    assert finish(client, ticket(client, person), newer).status_code == 200
    assert_problem(finish(client, ticket(client, person), older), 401)


def test_wrong_codes_are_counted_per_account_whatever_the_ticket(client, person, phone, clock):
    for _ in range(10):
        assert_problem(finish(client, ticket(client, person), "000000"), 401, code="auth.invalid_code")
    assert_problem(finish(client, ticket(client, person), phone.code()), 429, code="auth.locked")
    clock.shift(15 * 60 + 1)
    assert finish(client, ticket(client, person), phone.code()).status_code == 200


def test_the_owner_hears_once_of_wrong_codes_after_the_right_password(client, person, phone, deliver, mail):
    deliver()
    mail.empty()
    for _ in range(5):
        finish(client, ticket(client, person), "000000")
    deliver()
    assert ["Wrong codes" in message["Subject"] for message in mail.to(person.user.email)] == [True]


def test_many_wrong_codes_at_once_get_no_more_tries(app, client, person, phone):
    known = ticket(client, person)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: finish(app.test_client(), known, f"{n:06}"), range(24)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 14


def test_a_recovery_code_logs_in_once_and_its_owner_is_told(client, person, phone, deliver, mail):
    code = phone.recovery[0]
    assert finish(client, ticket(client, person), code).status_code == 200
    assert_problem(finish(client, ticket(client, person), code), 401)
    assert person.get(TOTP).json["recovery_codes_left"] == 9
    deliver()
    assert "recovery code" in mail.to(person.user.email)[-1]["Subject"]


def test_new_recovery_codes_make_the_old_ones_good_no_more(client, person, phone):
    fresh = person.post(f"{TOTP}/recovery-codes", json={"code": phone.code()}).json["recovery_codes"]
    assert_problem(finish(client, ticket(client, person), phone.recovery[0]), 401)
    assert finish(client, ticket(client, person), fresh[0]).status_code == 200


def test_turning_it_off_needs_both_and_the_owner_is_told(client, person, phone, deliver, mail):
    wrong = [{"password": "wrong words", "code": phone.code()}, {"password": PASSWORD, "code": "000000"}]
    for body in wrong:
        assert_problem(person.post(f"{TOTP}/disable", json=body), 403)
    body = {"password": PASSWORD, "code": phone.code()}
    assert person.post(f"{TOTP}/disable", json=body).status_code == 204
    assert "access_token" in client.post(f"{AUTH}/login", json={"email": person.user.email, "password": PASSWORD}).json
    deliver()
    assert "off" in mail.to(person.user.email)[-1]["Subject"]


def test_a_ticket_is_no_other_token(client, person, phone):
    known = ticket(client, person)
    assert_problem(client.post(f"{AUTH}/verify-email", json={"token": known}), 404)
    body = {"token": known, "password": "an entirely new password"}
    assert_problem(client.post(f"{AUTH}/password-reset/confirm", json=body), 404)
    assert client.get(ME, headers={"Authorization": f"Bearer {known}"}).status_code == 401


def test_a_disabled_account_does_not_finish_a_login(client, person, phone):
    known = ticket(client, person)
    User.objects(id=person.user.id).update(set__disabled_at=person.user.created_at)
    assert_problem(finish(client, known, phone.code()), 401)


def test_neither_the_secret_nor_a_recovery_code_is_stored_in_clear(person, phone):
    stored = str(SecondFactor._get_collection().find_one())
    assert phone.totp.secret not in stored
    assert not [code for code in phone.recovery if code in stored]


def test_a_password_reset_does_not_turn_it_off(client, person, phone, deliver, mail):
    deliver()
    client.post(f"{AUTH}/password-reset", json={"email": person.user.email})
    deliver()
    body = {"token": mail.token_to(person.user.email), "password": "an entirely new password"}
    assert client.post(f"{AUTH}/password-reset/confirm", json=body).status_code == 204
    answer = client.post(f"{AUTH}/login", json={"email": person.user.email, "password": body["password"]})
    assert answer.json["second_factor"] == "totp"


def test_where_it_is_demanded_an_administrator_without_it_is_none(clock, other_app):
    app = other_app(require_totp_for_admins=True)
    user = UserFactory(role="admin")
    client = app.test_client()
    login = client.post(f"{AUTH}/login", json={"email": user.email, "password": PASSWORD}).json
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {login['access_token']}"
    assert client.get("/api/v1/users").status_code == 403
    Phone(client, clock)
    assert client.get("/api/v1/users").status_code == 200


def test_a_ticket_is_worth_nothing_after_the_password_was_changed(client, person, phone):
    known = ticket(client, person)
    body = {"current_password": PASSWORD, "new_password": "an entirely new password"}
    assert person.post(f"{ME}/password", json=body).status_code == 204
    assert_problem(finish(client, known, phone.code()), 401, code="auth.invalid_code")


def test_a_code_turns_on_no_other_secret_than_its_own(person, clock):
    secret = person.post(TOTP, json={"password": PASSWORD}).json["secret"]
    person.post(TOTP, json={"password": PASSWORD})
    answer = person.post(f"{TOTP}/confirm", json={"code": pyotp.TOTP(secret).now()})
    assert_problem(answer, 403, code="totp.wrong_code")


def test_codes_are_limited_per_address_whoever_says_they_asks(other_app, clock):
    app = other_app(ratelimit_enabled=True, ratelimit_secret="3/minute")
    client = app.test_client()
    UserFactory(email="ada@example.com")
    login = client.post(f"{AUTH}/login", json={"email": "ada@example.com", "password": PASSWORD}).json
    for _ in range(3):
        assert finish(client, "tc_x", "000000").status_code == 401
    assert finish(client, "tc_x", "000000").status_code == 429
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {login['access_token']}"
    assert finish(client, "tc_x", "000000").status_code == 429
