"""Rate limits: told on every answer, separate for what they protect, and not to be got round."""

import pytest
from flask import Blueprint

from taskmanager.extensions import limiter
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.web import limits
from tests.problems import assert_problem

LOGIN = "/api/v1/auth/login"
ME = "/api/v1/users/me"


@pytest.fixture
def limited(other_app):
    """Makes an application with limits, low where a test says so."""
    return lambda **changes: other_app(ratelimit_enabled=True, **changes)


def login(client, email="unknown@example.com", **headers):
    return client.post(LOGIN, json={"email": email, "password": "not this one"}, headers=headers)


def assert_limited(answer):
    assert_problem(answer, 429, code="rate_limit.exceeded")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ";r=0;" in answer.headers["RateLimit"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ME, 200),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/tasks/x", 404),
        ("PUT", ME, 405),
        ("GET", "/api/v1/tasks?nonsense=1", 422),
        ("POST", LOGIN, 415),
        ("GET", "/api/v1/openapi.json", 200),
    ],
)
def test_every_answer_tells_the_budget(limited, method, path, status):
    client = sign_in(limited(), UserFactory())
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.headers["RateLimit-Policy"].startswith('"')
    assert ";r=" in answer.headers["RateLimit"]


def test_a_401_tells_the_budget_too(limited):
    assert "RateLimit" in limited().test_client().get(ME).headers


def test_the_budget_goes_down_with_each_request(limited):
    client = sign_in(limited(), UserFactory())
    left = [int(client.get(ME).headers["RateLimit"].split(";r=")[1].split(";")[0]) for _ in range(3)]
    assert left == [left[0], left[0] - 1, left[0] - 2]


def test_a_caller_without_budget_is_told_when_to_come_again(limited):
    client = sign_in(limited(ratelimit_default="3/minute"), UserFactory())
    answers = [client.get(ME) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert_limited(answers[-1])


def test_unknown_paths_are_counted_too(limited):
    client = sign_in(limited(ratelimit_default="3/minute"), UserFactory())
    statuses = [client.get("/api/v1/nothing").status_code for _ in range(4)]
    assert statuses == [404, 404, 404, 429]


def test_the_limit_of_a_blueprint_applies_beside_those_of_all_requests(limited):
    app, narrow = limited(), Blueprint("narrow", __name__)
    narrow.add_url_rule("/narrow", "view", lambda: "")
    limiter.limit("2/minute", key_func=limits.address)(narrow)
    app.register_blueprint(narrow)
    client = app.test_client()
    assert [client.get("/narrow").status_code for _ in range(3)] == [200, 200, 429]


def test_the_limits_of_all_requests_are_counted_each(limited):
    client = sign_in(limited(ratelimit_default="9/minute", ratelimit_network="3/minute"), UserFactory())
    answers = [client.get(ME) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[2].headers["RateLimit-Policy"].startswith('"default";q=9;')
    assert answers[3].headers["RateLimit-Policy"].startswith('"default";q=3;')  # the one that is exceeded
    assert_limited(answers[3])


def test_callers_have_budgets_of_their_own(limited):
    app = limited(ratelimit_default="3/minute")
    one, other = (sign_in(app, UserFactory()) for _ in range(2))
    for _ in range(4):
        one.get(ME)
    assert other.get(ME).status_code == 200


def test_logins_are_limited_per_account_however_it_is_spelt(limited):
    client = limited(ratelimit_login_account="3/minute").test_client()
    spellings = ["a@example.com", "A@EXAMPLE.COM", " a@example.com ", "a@example.com"]
    answers = [client.post(LOGIN, json={"email": email, "password": "x"}) for email in spellings]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert_limited(answers[-1])
    assert login(client, "b@example.com").status_code == 401


def test_logins_are_limited_per_address_whatever_the_account(limited):
    client = limited(ratelimit_login_address="3/minute").test_client()
    answers = [login(client, f"person{number}@example.com") for number in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_the_right_password_does_not_pass_a_spent_budget(limited):
    app = limited(ratelimit_login_account="3/minute")
    user = UserFactory()
    for _ in range(3):
        login(app.test_client(), user.email)
    body = {"email": user.email, "password": "correct horse battery staple"}
    assert app.test_client().post(LOGIN, json=body).status_code == 429


def test_a_forwarded_address_of_the_clients_own_making_is_not_believed(limited):
    client = limited(ratelimit_login_address="3/minute").test_client()
    answers = [login(client, f"p{n}@example.com", **{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(4)]
    assert answers[-1].status_code == 429


def test_behind_a_proxy_the_address_it_saw_is_counted(limited):
    client = limited(ratelimit_login_address="3/minute", proxy_count=1).test_client()
    forged = [login(client, f"p{n}@example.com", **{"X-Forwarded-For": f"1.1.1.{n}, 10.0.0.1"}) for n in range(4)]
    assert [answer.status_code for answer in forged] == [401, 401, 401, 429]
    assert login(client, "p9@example.com", **{"X-Forwarded-For": "10.0.0.2"}).status_code == 401


@pytest.mark.parametrize(
    ("setting", "path", "body"),
    [
        ("ratelimit_register", "/api/v1/auth/register", {"email": "a@example.com", "password": "x" * 8, "name": "x"}),
        ("ratelimit_refresh", "/api/v1/auth/refresh", {"refresh_token": "x"}),
    ],
)
def test_registration_and_refresh_have_budgets_of_their_own(limited, setting, path, body):
    client = limited(**{setting: "2/minute"}).test_client()
    statuses = [client.post(path, json=body).status_code for _ in range(3)]
    assert statuses[-1] == 429
    assert login(client).status_code == 401


@pytest.mark.parametrize("email", [["a@example.com"], {"$ne": None}, 7, None, "x" * 100_000, "\x00"])
def test_an_odd_address_in_a_login_breaks_no_limit(limited, email):
    client = limited(ratelimit_login_account="3/minute").test_client()
    statuses = {client.post(LOGIN, json={"email": email, "password": "x"}).status_code for _ in range(5)}
    assert statuses <= {401, 422, 429}


def test_health_checks_and_metrics_use_no_budget(limited):
    client = limited(ratelimit_default="3/minute").test_client()
    assert {client.get("/health/live").status_code for _ in range(6)} == {200}
