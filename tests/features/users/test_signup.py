"""Who may make an account: each policy, invited people, administrators, and what a refusal does not tell."""

import pytest
from pydantic import SecretStr

from config.settings import load
from taskmanager.core.errors import Misconfigured
from taskmanager.features.projects.models import Invitation, Project
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.features.users.conftest import log_in
from tests.features.users.sso.provider import CLIENT_ID, CLIENT_SECRET
from tests.hashes import counted_hashes
from tests.problems import assert_problem

REGISTER = "/api/v1/auth/register"
DOMAINS = {"signup": "domains", "signup_domains": "Example.org, bücher.example"}
PRODUCTION = {"environment": "production", "secret_key": "k3" * 20, "keys_dir": "/keys"}
INVITED, CLOSED = {"signup": "invited"}, {"signup": "closed"}


def register(app, email, **body):
    return app.test_client().post(REGISTER, json={"email": email, "password": PASSWORD, "name": "Ada", **body})


@pytest.fixture
def invited(app):
    """A function that invites an address to a new project, and returns the project's owner."""

    def invite(email):
        owner = UserFactory()
        project = ProjectFactory(owner=owner)
        path = f"/api/v1/projects/{project.id}/invitations"
        assert sign_in(app, owner).post(path, json={"email": email, "role": "member"}).status_code == 201
        return owner

    return invite


def test_an_address_of_a_named_domain_is_admitted(other_app):
    app = other_app(**DOMAINS)
    for email in ("a@example.org", "b@EXAMPLE.org", "a@bücher.example", "b@xn--bcher-kva.example"):
        assert register(app, email).status_code == 201, email


OTHERS = ["a@sub.example.org", "a@evil-example.org", "a@example.org.evil.example", "a@example.com", "a@example.or",
          "example.org@evil.example", "a%example.org@evil.example", "a@bucher.example"]  # fmt: skip


def test_an_address_of_another_domain_is_not(other_app):
    app = other_app(**DOMAINS)
    for email in OTHERS:
        assert_problem(register(app, email), 403, code="signup.domain_not_allowed")
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        (DOMAINS, 201, "signup.domain_not_allowed"),
        (INVITED, 201, "signup.not_invited"),
        (CLOSED, 403, "signup.closed"),
    ],
)
def test_invited_people_are_admitted_unless_sign_up_is_closed(other_app, invited, policy, status, code):
    invited("ada@example.com")
    app = other_app(**policy)
    assert_problem(register(app, "grace@example.com"), 403, code=code)
    assert register(app, "Ada@example.com").status_code == status


def test_an_invitation_admits_only_while_it_could_be_accepted(other_app, invited):
    app = other_app(**INVITED)
    invited("revoked@example.com")
    Invitation.objects.update(set__state="revoked")
    invited("expired@example.com")
    Invitation.objects(email="expired@example.com").update(set__expires_at=User.objects.first().created_at)
    inviter = invited("disabled@example.com")
    User.objects(id=inviter.id).update(set__disabled_at=inviter.created_at)
    owner = invited("deleted@example.com")
    Project.objects(id=Invitation.objects(invited_by=owner.id).first().project_id).update(
        set__deleted_at=owner.created_at
    )
    for name in ("revoked", "expired", "disabled", "deleted"):
        assert_problem(register(app, f"{name}@example.com"), 403, code="signup.not_invited")


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("policy", [DOMAINS, INVITED, CLOSED])
def test_a_refusal_is_the_same_for_an_address_that_has_an_account(other_app, commands, policy, strict):
    UserFactory(email="known@example.com")
    client = other_app(**policy, require_verified_email=strict).test_client()
    done = []
    for email in ("known@example.com", "unknown@example.com"):
        body = {"email": email, "password": PASSWORD, "name": "Ada"}
        with commands.counted() as sent, counted_hashes() as hashed:
            answer = client.post(REGISTER, json=body)
        done.append((answer.status_code, answer.json["code"], answer.json["detail"], hashed, list(sent)))
    assert done[0] == done[1]
    assert done[0][0] == 403 and not done[0][3]


def test_where_addresses_must_be_confirmed_who_is_admitted_gets_202_known_or_not(other_app, invited, deliver):
    invited("ada@example.com")
    UserFactory(email="grace@example.com")
    invited("grace@example.com")
    app = other_app(**INVITED, require_verified_email=True)
    assert [register(app, email).status_code for email in ("ada@example.com", "grace@example.com")] == [202, 202]
    deliver()
    assert User.objects(email="ada@example.com").count() == 1


def test_a_first_login_by_a_provider_follows_the_policy_and_later_ones_do_not(sso, provider, other_app, invited):
    known = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": SecretStr(CLIENT_SECRET),
    }
    for policy, code in (
        (CLOSED, "signup.closed"),
        (INVITED, "signup.not_invited"),
        (DOMAINS, "signup.domain_not_allowed"),
    ):
        assert_problem(log_in(other_app(**known, **policy)), 403, code=code)
    assert User.objects(email="ada@example.com").count() == 0
    invited("ada@example.com")
    assert log_in(other_app(**known, **INVITED)).status_code == 200
    assert log_in(other_app(**known, **CLOSED)).status_code == 200


def test_an_administrator_makes_accounts_under_every_policy(other_app, mail, deliver):
    admin = sign_in(other_app(**CLOSED), UserFactory(role="admin"))
    made = admin.post("/api/v1/users", json={"email": "Ada@example.com", "name": "Ada", "password": PASSWORD})
    assert made.status_code == 201 and made.json["email_verified_at"]
    assert made.headers["Location"] == f"/api/v1/users/{made.json['id']}" and made.headers["ETag"]
    assert sign_in(admin.application, User.objects.get(email="ada@example.com"))
    again = admin.post("/api/v1/users", json={"email": "ada@example.com", "name": "Ada"})
    assert_problem(again, 409, code="user.email_taken")
    deliver()
    assert not mail.to("ada@example.com")


def test_without_a_password_a_mail_lets_the_owner_of_the_address_set_one(other_app, mail, deliver):
    admin = sign_in(other_app(**CLOSED), UserFactory(role="admin"))
    made = admin.post("/api/v1/users", json={"email": "ada@example.com", "name": "Ada"})
    assert made.status_code == 201 and made.json["email_verified_at"] is None
    deliver()
    assert len(mail.to("ada@example.com")) == 1
    body = {"token": mail.token_to("ada@example.com"), "password": PASSWORD}
    assert admin.post("/api/v1/auth/password-reset/confirm", json=body).status_code == 204
    user = User.objects.get(email="ada@example.com")
    assert user.email_verified_at and sign_in(admin.application, user)


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (DOMAINS, "signup.domain_not_allowed"),
        (INVITED, "signup.not_invited"),
        (CLOSED, None),
        ({"signup": "open"}, None),
    ],
)
def test_a_change_of_address_follows_the_policy(other_app, invited, policy, code):
    invited("invited@example.com")
    UserFactory(email="known@example.com")
    ada = sign_in(other_app(**policy), UserFactory())
    for email in ("known@example.com", "unknown@example.com"):
        wrong = ada.post("/api/v1/users/me/email", json={"email": email, "password": "not this one"})
        assert_problem(wrong, 403, code="auth.wrong_password")
        answer = ada.post("/api/v1/users/me/email", json={"email": email, "password": PASSWORD})
        assert (answer.status_code, answer.json and answer.json["code"]) == (403 if code else 202, code)
    changed = ada.post("/api/v1/users/me/email", json={"email": "Invited@example.com", "password": PASSWORD})
    assert changed.status_code == 202


@pytest.mark.parametrize("body", [{"password": "short"}, {"email": "x"}, {"name": ""}, {"role": "admin"}])
def test_a_wrong_account_is_refused(caller, body):
    made = {"email": "ada@example.com", "name": "Ada", **body}
    assert caller(role="admin").post("/api/v1/users", json=made).status_code == 422
    assert User.objects(email="ada@example.com").count() == 0


@pytest.mark.parametrize(("signup", "status"), [("open", 202), ("invited", 201), ("closed", 201)])
def test_managers_add_known_people_directly_unless_sign_up_is_open(other_app, signup, status):
    owner = UserFactory()
    path = f"/api/v1/projects/{ProjectFactory(owner=owner).id}/members"
    body = {"user_id": str(UserFactory().id), "role": "member"}
    assert sign_in(other_app(signup=signup), owner).post(path, json=body).status_code == status


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (PRODUCTION, "production needs TASKMANAGER_SIGNUP"),
        ({"signup": "domains"}, "needs TASKMANAGER_SIGNUP_DOMAINS"),
        ({**PRODUCTION, **INVITED}, "SIGNUP=invited needs TASKMANAGER_REQUIRE_VERIFIED_EMAIL=true"),
        ({**PRODUCTION, **DOMAINS}, "SIGNUP=domains needs TASKMANAGER_REQUIRE_VERIFIED_EMAIL=true"),
        ({"signup_domains": "example.org"}, "needs TASKMANAGER_SIGNUP=domains"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(given, sentence):
    with pytest.raises(Misconfigured, match=sentence):
        load(**given)


@pytest.mark.parametrize("given", [{"signup": "open"}, CLOSED, {**INVITED, "require_verified_email": True}])
def test_production_takes_policies_by_which_no_stranger_has_the_address_of_another(given):
    assert load(**PRODUCTION, **given).signup == given["signup"]
