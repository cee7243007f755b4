"""A login by a provider, on pages."""

from urllib.parse import urlsplit

import requests

from taskmanager.features.users.models import User
from taskmanager.testing.factories import UserFactory
from tests.features.users.conftest import provider, provider_seconds, sso
from tests.pages.browsing import Browser

__all__ = ["provider", "provider_seconds", "sso"]


def come_back(browser):
    """Goes to the provider by the link of the login, and returns the address that it sends the browser back to."""
    path = browser.source.split('href="/pages/login/provider')[1].split('"')[0].replace("&amp;", "&")
    answer = browser.client.get(f"/pages/login/provider{path}")
    back = requests.get(answer.headers["Location"], allow_redirects=False, timeout=60).headers["Location"]
    return f"{urlsplit(back).path}?{urlsplit(back).query}"


def test_it_leads_to_the_page_of_the_link(sso):
    browser = Browser(sso.test_client()).open("/pages/projects/65f1c0ffee0123456789abcd")
    assert browser.path == "/pages/login" and "Log in with Single sign-on" in browser.text
    back = come_back(browser)
    assert back.startswith("/pages/login/provider/callback?")
    assert Browser(sso.test_client()).open(back).status == 401
    assert (browser.open(back).status, browser.path) == (404, "/pages/projects/65f1c0ffee0123456789abcd")
    assert "Ada Lovelace" in browser.open("/pages").text


def test_a_new_account_has_the_language_of_the_browser(sso):
    browser = Browser(sso.test_client()).open("/pages/login")
    browser.open(come_back(browser), headers={"Accept-Language": "de"})
    assert browser.status == 200 and User.objects.get(email="ada@example.com").locale == "de"


def test_a_refusal_is_a_page(sso):
    UserFactory(email="ada@example.com", verified=False)
    browser = Browser(sso.test_client()).open("/pages/login")
    browser.open(come_back(browser))
    assert browser.status == 409 and "log in with its password" in browser.text


def test_without_a_provider_there_is_no_link(browser):
    assert "/login/provider" not in browser.open("/pages/login").source
    assert browser.open("/pages/login/provider").status == 404
