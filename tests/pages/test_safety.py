"""What pages must not allow, and how they fail."""

import re

import pytest
from pymongo.errors import AutoReconnect
from werkzeug.http import parse_cookie

from taskmanager.core.storage.database import breaker
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import Session, User
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.pages.browsing import Browser

HTML = {"Accept": "text/html"}


def cookie_of(browser):
    return browser.client.get_cookie("taskmanager_pages", path="/pages")


def test_the_cookie_is_for_the_pages_alone(scene, log_in):
    browser = log_in(scene.owner.user)
    cookie = cookie_of(browser)
    assert (cookie.path, cookie.http_only, cookie.same_site) == ("/pages", True, "Lax")
    answer = browser.client.get(scene.task_path, headers={"Cookie": f"taskmanager_pages={cookie.value}"})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    bearer = scene.owner.environ_base["HTTP_AUTHORIZATION"]
    other = Browser(scene.app.test_client()).open("/pages", headers={"Authorization": bearer})
    assert other.path == "/pages/login"


def test_the_cookie_is_secure_where_the_service_is(other_app):
    browser = Browser(other_app(public_url="https://tasks.example.com").test_client()).open("/pages/login")
    assert "Secure" in browser.headers["Set-Cookie"]


def test_whatever_ends_the_session_ends_the_login(scene, log_in):
    browser = log_in(scene.owner.user)
    assert browser.open("/pages").path == "/pages"
    scene.owner.post("/api/v1/users/me/sessions/end", json={"except_current": False})
    assert browser.open("/pages").path == "/pages/login"


@pytest.mark.parametrize("change", ["no_token", "other_token", "other_site", "other_browser"])
def test_a_form_of_another_site_does_nothing(scene, log_in, change):
    path = f"/pages/tasks/{scene.task.id}"
    browser = log_in(scene.owner.user).open(path)
    token = re.findall(r'name="form_token" value="([^"]+)"', browser.source)[0]
    data, headers = {"form_token": token, "revision": str(scene.task.revision)}, {}
    if change == "no_token":
        del data["form_token"]
    if change == "other_token":
        data["form_token"] = "x" * len(token)
    if change == "other_site":
        headers["Sec-Fetch-Site"] = "cross-site"
    if change == "other_browser":
        log_in(scene.owner.user)
        browser = log_in(scene.owner.user)
    browser.open(f"{path}/complete", method="POST", data=data, headers=headers)
    assert browser.status == 403 and "This form has expired" in browser.text
    assert Task.objects.get(id=scene.task.id).status_group != "done"


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/pages\\@evil", "/api/v1", "/pages/../docs",
     "/pages/%2e%2e/docs", "/pages/.%2E/docs"],
)  # fmt: skip
def test_a_login_leads_to_no_other_site(scene, browser, path):
    browser.open("/pages/login", query_string={"next": path})
    browser.send("Log in", email=scene.owner.user.email, password=PASSWORD)
    assert browser.path == "/pages"


def test_each_page_has_headers_that_let_it_do_nothing_else(scene, log_in):
    browser = log_in(scene.owner.user)
    for path in ("/pages", f"/pages/tasks/{scene.task.id}", "/pages/nothing", "/pages/reset?token=x"):
        headers = browser.open(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert " style=" not in browser.source
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", browser.source)
        assert scripts == ([""] if "/tasks/" in path else []), "no script within a page"
    style = re.findall(r'rel="stylesheet" href="([^"]+)"', browser.source)[0]
    assert "immutable" in browser.client.get(style).headers["Cache-Control"]


def test_only_browsers_get_errors_as_pages(client):
    page = client.get("/pages/nothing", headers=HTML)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    for path, headers in (("/pages/nothing", {}), ("/api/v1/nothing", HTML), ("/nothing", HTML)):
        assert client.get(path, headers=headers).mimetype == "application/problem+json"
    for path in ("/pages/logout", "/pages/second-factor"):  # a browser that opens its history
        page = client.get(path, headers=HTML)
        assert page.status_code == 405 and "takes a form only" in page.text
    wrong = client.put("/pages/login", headers=HTML)
    assert (wrong.status_code, wrong.mimetype) == (405, "text/html")
    assert "POST" in wrong.headers["Allow"]


def test_pages_and_api_have_one_budget_of_logins(other_app):
    client = other_app(ratelimit_enabled=True, ratelimit_login_account="3/hour").test_client()
    body = {"email": "ada@example.com", "password": "not this one"}
    for _ in range(2):
        assert client.post("/api/v1/auth/login", json=body).status_code == 401
    browser = Browser(client).open("/pages/login")
    assert browser.send("Log in", **body).status == 401
    assert browser.send("Log in", **body).status == 429
    assert int(browser.headers["Retry-After"]) >= 1 and "Try again in" in browser.text
    assert client.post("/api/v1/auth/login", json=body).status_code == 429


def test_an_account_is_locked_on_pages_too(other_app, app):
    user = UserFactory()
    browser = Browser(other_app(lockout_failures=3).test_client()).open("/pages/login")
    for _ in range(3):
        browser.send("Log in", email=user.email, password="not this one")
    assert browser.send("Log in", email=user.email, password=PASSWORD).status == 429
    assert "too many wrong tries" in browser.text
    assert not Session.objects(user_id=user.id)


def test_a_registration_that_needs_a_confirmation_says_so(other_app, app):
    browser = Browser(other_app(require_verified_email=True).test_client()).open("/pages/register")
    browser.send("Make the account", email="ada@example.com", name="Ada", password="an entirely new password")
    assert browser.status == 200 and "Look into your mail" in browser.text
    assert not User.objects(email="ada@example.com")


def test_a_page_says_that_the_database_is_away(app, browser, own_process):
    breaker.trip(AutoReconnect())
    try:
        browser.open("/pages/login")
        assert browser.status == 503 and browser.headers["Retry-After"]
        assert "The service is not available" in browser.text
    finally:
        breaker.close()


def test_pages_below_a_path_lead_to_pages_below_it(other_app, scene):
    client = other_app(public_url="https://example.com/pm").test_client()
    answer = client.get("/pm/pages", headers=HTML)
    assert answer.headers["Location"] == "/pm/pages/login?next=%2Fpages"
    page = client.get("/pm/pages/login", headers=HTML)
    assert 'action="/pm/pages/login"' in page.text
    assert "Path=/pm/pages" in page.headers["Set-Cookie"]
    assert parse_cookie(page.headers["Set-Cookie"])["taskmanager_pages"]
