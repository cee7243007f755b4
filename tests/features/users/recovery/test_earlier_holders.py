"""An address proves nothing until it answered: what was set up before that is not its owner's, and ends."""

import re
from datetime import timedelta

import pyotp
import pytest

from taskmanager.core.clock import iso, now
from taskmanager.features.notifications.models import Phone, Preferences
from taskmanager.features.projects.models import Invitation, ShareLink
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import Identity, SecondFactor, User
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from taskmanager.testing.mailbox import text_of
from tests.problems import assert_problem

V1 = "/api/v1"
AUTH, ME = f"{V1}/auth", f"{V1}/users/me"
OWNER, ATTACKER = "ada@example.com", "eve@example.com"
NEW = "an entirely new password"
HOOK = {"url": "https://8.8.8.8/hook", "events": ["task.*"]}
TOKEN = {"name": "T", "scopes": ["profile:read"]}


def log_in(client, password, email=OWNER):
    return client.post(f"{AUTH}/login", json={"email": email, "password": password})


@pytest.fixture
def squatter(app):
    """A user logged in to an account with an address that is not theirs."""
    return sign_in(app, UserFactory(email=OWNER, verified=False))


@pytest.fixture
def recover(client, deliver, mail):
    """The owner of the address resets the password, and logs in."""

    def recover(answers=204):
        assert client.post(f"{AUTH}/password-reset", json={"email": OWNER}).status_code == 202
        deliver()
        body = {"token": mail.token_to(OWNER), "password": NEW}
        assert client.post(f"{AUTH}/password-reset/confirm", json=body).status_code == answers

    return recover


@pytest.fixture
def prove(client, deliver, mail):
    """The owner of the address confirms it, as the mail asks."""

    def prove():
        client.post(f"{AUTH}/verify-email/request", json={"email": OWNER})
        deliver()
        assert client.post(f"{AUTH}/verify-email", json={"token": mail.token_to(OWNER)}).status_code == 204

    return prove


def tokens_in(message):
    return re.findall(r"tc_[\w-]+", text_of(message))


def turn_on_totp(person):
    secret = person.post(f"{ME}/totp", json={"password": PASSWORD}).json["secret"]
    code = pyotp.TOTP(secret).now()
    assert person.post(f"{ME}/totp/confirm", json={"code": code}).status_code == 200


def make_project(person):
    return person.post(f"{V1}/projects", json={"key": "APP", "name": "App"}).json["id"]


def make_token(person, clock_days=9):
    body = TOKEN | {"expires_at": iso(now() + timedelta(days=clock_days))}
    return person.post(f"{ME}/tokens", json=body).json["token"]


# --- what ends with a recovery ------------------------------------------------------------------------------------


def test_a_change_of_address_that_was_asked_for_before_ends_with_the_recovery(squatter, client, recover, deliver, mail):
    squatter.post(f"{ME}/email", json={"email": ATTACKER, "password": PASSWORD})
    deliver()
    theirs = mail.token_to(ATTACKER)
    recover()
    assert_problem(client.post(f"{ME}/email/confirm", json={"token": theirs}), 404)
    assert log_in(client, NEW).status_code == 200
    assert User.objects.get().email == OWNER


def test_a_session_and_an_api_token_end(squatter, app, recover):
    token = make_token(squatter)
    recover()
    assert squatter.get(ME).status_code == 401
    assert app.test_client().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_second_factor_of_an_earlier_holder_does_not_lock_the_owner_out(squatter, client, recover):
    turn_on_totp(squatter)
    recover()
    assert "access_token" in log_in(client, NEW).json
    assert SecondFactor.objects.count() == 0


def test_a_second_factor_that_was_only_begun_ends(squatter, app, client, recover):
    squatter.post(f"{ME}/totp", json={"password": PASSWORD})
    recover()
    assert SecondFactor.objects.count() == 0


def test_the_second_factor_of_the_owner_stays_since_reading_mail_is_not_enough(app, client, recover):
    turn_on_totp(sign_in(app, UserFactory(email=OWNER)))
    recover()
    assert log_in(client, NEW).json["second_factor"] == "totp"


def test_a_second_factor_from_before_a_change_of_address_ends(app, client, recover, deliver, mail):
    person = sign_in(app, UserFactory(email="before@example.com"))
    turn_on_totp(person)
    person.post(f"{ME}/email", json={"email": OWNER, "password": PASSWORD})
    deliver()
    for address in ("before@example.com", OWNER):
        client.post(f"{ME}/email/confirm", json={"token": mail.token_to(address)})
    recover()
    assert "access_token" in log_in(client, NEW).json


def test_webhooks_of_an_earlier_holder_are_gone(squatter, client, recover):
    project = make_project(squatter)
    assert squatter.post(f"{V1}/projects/{project}/webhooks", json=HOOK).status_code == 201
    assert squatter.post(f"{V1}/webhooks", json=HOOK).status_code == 201
    recover()
    assert Webhook.objects.count() == 0


def test_webhooks_of_the_owner_are_turned_off_until_turned_on_again(app, recover):
    person = sign_in(app, UserFactory(email=OWNER))
    made = person.post(f"{V1}/webhooks", json=HOOK).json
    recover()
    assert Webhook.objects.get(id=made["id"]).active is False


@pytest.mark.parametrize("verified", [False, True])
def test_visitors_by_a_share_link_are_refused(app, recover, verified):
    person = sign_in(app, UserFactory(email=OWNER, verified=verified))
    project = make_project(person)
    link = person.post(f"{V1}/projects/{project}/share-links", json={"role": "viewer"}).json
    visit = {"Authorization": f"Bearer {link['token']}"}
    assert app.test_client().get(f"{V1}/projects/{project}", headers=visit).status_code == 200
    recover()
    assert app.test_client().get(f"{V1}/projects/{project}", headers=visit).status_code == 401
    assert ShareLink.objects.count() == int(verified)


@pytest.mark.parametrize("verified", [False, True])
def test_an_invitation_that_waits_lets_no_one_in_afterwards(app, recover, deliver, mail, verified):
    person = sign_in(app, UserFactory(email=OWNER, verified=verified))
    friend = sign_in(app, UserFactory(email=ATTACKER))
    project = make_project(person)
    body = {"email": ATTACKER, "role": "manager"}
    assert person.post(f"{V1}/projects/{project}/invitations", json=body).status_code == 201
    deliver()
    token = tokens_in(mail.to(ATTACKER)[-1])[0]
    recover()
    assert_problem(friend.post(f"{V1}/invitations/accept", json={"token": token}), 404)
    assert Invitation.objects.get().state == "revoked"


def test_a_phone_number_and_what_was_chosen_not_to_be_told_end(squatter, recover):
    Phone(user_id=squatter.user.id, number="+491701234567", verified_at=squatter.user.created_at).save()
    squatter.patch(f"{ME}/notification-preferences", json={"level": "none"}, headers={"If-Match": "*"})
    recover()
    assert (Phone.objects.get().number, Phone.objects.get().verified_at) == ("", None)
    assert Preferences.objects(user_id=squatter.user.id).count() == 0


def test_a_login_by_a_provider_that_an_earlier_holder_linked_ends(squatter, recover):
    Identity(user_id=squatter.user.id, issuer="https://idp.example", subject="eve").save()
    recover()
    assert Identity.objects.count() == 0


def test_the_mail_about_the_new_password_says_what_ended(squatter, recover, deliver, mail):
    make_token(squatter)
    recover()
    deliver()
    assert "API tokens: 1" in text_of(mail.to(OWNER)[-1])


def test_a_password_that_an_operator_sets_is_a_recovery_too(squatter, app):
    turn_on_totp(squatter)
    token = make_token(squatter)
    administration.reset_password(administration.by_email(OWNER), NEW)
    assert SecondFactor.objects.count() == 0
    assert app.test_client().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_new_password_ends_a_change_of_address(app, client, deliver, mail):
    person = sign_in(app, UserFactory(email=OWNER, verified=False))
    person.post(f"{ME}/email", json={"email": ATTACKER, "password": PASSWORD})
    deliver()
    changed = person.post(f"{ME}/password", json={"current_password": PASSWORD, "new_password": NEW})
    assert changed.status_code == 204
    assert_problem(client.post(f"{ME}/email/confirm", json={"token": mail.token_to(ATTACKER)}), 404)


# --- the old address is asked again -------------------------------------------------------------------------------


def test_an_address_that_was_proved_meanwhile_must_confirm_the_change_too(squatter, client, prove, deliver, mail):
    squatter.post(f"{ME}/email", json={"email": ATTACKER, "password": PASSWORD})
    deliver()
    theirs = mail.token_to(ATTACKER)
    prove()
    assert client.post(f"{ME}/email/confirm", json={"token": theirs}).json == {"changed": False}
    assert User.objects.get().email == OWNER
    deliver()
    assert ATTACKER in text_of(mail.to(OWNER)[-1]).replace("\u200b", "")  # no link is made of what people chose
    assert client.post(f"{ME}/email/confirm", json={"token": mail.token_to(OWNER)}).json == {"changed": True}


# --- a registration that is repeated --------------------------------------------------------------------------------


def test_whoever_registers_a_taken_address_confirms_no_password_of_others(other_app, client, deliver, mail):
    strict = other_app(require_verified_email=True).test_client()
    for password in (PASSWORD, "the words of the owner"):
        body = {"email": OWNER, "password": password, "name": "Ada"}
        assert strict.post(f"{AUTH}/register", json=body).status_code == 202
        deliver()
    token = mail.token_to(OWNER)
    assert_problem(strict.post(f"{AUTH}/verify-email", json={"token": token}), 404)
    body = {"token": token, "password": NEW}
    assert strict.post(f"{AUTH}/password-reset/confirm", json=body).status_code == 204
    assert log_in(strict, PASSWORD).status_code == 401
    assert log_in(strict, NEW).status_code == 200
    first = tokens_in(mail.to(OWNER)[0])[0]
    assert_problem(strict.post(f"{AUTH}/verify-email", json={"token": first}), 404)


# --- the owner hears of it ------------------------------------------------------------------------------------------


def test_the_owner_gets_a_mail_about_a_token_a_webhook_and_a_second_factor(app, deliver, mail):
    person = sign_in(app, UserFactory(email=OWNER))
    make_token(person)
    person.post(f"{V1}/webhooks", json=HOOK)
    turn_on_totp(person)
    deliver()
    subjects = {str(message["Subject"]) for message in mail.to(OWNER)}
    assert {"An API token was created", "A webhook was created", "Your second factor is on"} <= subjects


def test_an_administrator_whose_address_is_not_proved_is_not_made(app, caller):
    admin = caller(role="admin")
    user = UserFactory(email=OWNER, verified=False)
    answer = admin.patch(f"{V1}/users/{user.id}", json={"role": "admin"}, headers={"If-Match": "*"})
    assert_problem(answer, 409, code="user.email_unverified")
    assert User.objects.get(id=user.id).role == "user"


def test_nothing_of_others_ends(app, squatter, recover):
    other = UserFactory()
    SecondFactor(user_id=other.id, secret=b"x").save()
    Identity(user_id=other.id, issuer="https://idp.example", subject="x").save()
    recover()
    assert (SecondFactor.objects.count(), Identity.objects.count()) == (1, 1)
