"""What strangers learn of the service: at `/`, `/api/v1` and `/api/v1/info`."""

import pytest

from taskmanager import __version__
from taskmanager.api.information_schemas import InformationOut
from tests.features.users.sso.provider import CLIENT_ID

PATHS = ("/", "/api/v1", "/api/v1/info")
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_the_three_places_say_the_same_and_are_as_documented(client):
    found = [client.get(path) for path in PATHS]
    assert {answer.status_code for answer in found} == {200}
    assert found[0].json == found[1].json == found[2].json
    InformationOut().load(found[0].json)
    assert (found[0].json["name"], found[0].json["version"]) == ("Task Manager", __version__)


@pytest.mark.parametrize("path", PATHS)
def test_caches_may_keep_it_and_revalidate_it(client, path):
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    assert client.head(path).status_code == 200


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html;q=0.9", "image/png"])
def test_a_program_gets_json(client, accept):
    answer = client.get("/", headers={"Accept": accept} if accept else {})
    assert answer.content_type == "application/json"


def test_a_browser_gets_a_page_with_the_same_links(other_app):
    client = other_app(service_name="Ada's <tasks>", terms_url="https://example.com/terms?a=1&b=2").test_client()
    answer = client.get("/", headers=BROWSER)
    assert answer.content_type == "text/html; charset=utf-8" and "Accept" in answer.headers["Vary"]
    assert "script" not in answer.headers["Content-Security-Policy"]
    links = client.get("/").json["links"]
    for name in ("docs", "document", "status"):
        assert f'href="{links[name]}"' in answer.text
    assert 'href="https://example.com/terms?a=1&amp;b=2"' in answer.text and "Privacy" not in answer.text
    assert "Ada&#39;s &lt;tasks&gt;" in answer.text and "<tasks>" not in answer.text


def test_every_link_of_the_service_leads_somewhere(client):
    links = client.get("/").json["links"]
    for name in ("self", "docs", "guide", "document", "status", "keys"):
        assert client.get(links[name]).status_code == 200


def test_it_says_what_the_settings_admit(other_app):
    settings = {
        "signup": "domains",
        "signup_domains": "Example.org",
        "require_verified_email": True,
        "ratelimit_enabled": True,
        "quota_projects": 0,
        "quota_tasks": 12,
        "max_body_bytes": 5000,
        "attachment_types": "image/*, text/plain",
        "oidc_issuer": "https://login.example.com",
        "oidc_client_id": CLIENT_ID,
        "oidc_name": "Example Inc.",
        "terms_url": "https://example.com/terms",
        "public_url": "https://tasks.example.com/pm",
    }
    found = other_app(**settings).test_client().get("/api/v1/info").json
    assert found["signup"]["policy"] == "domains" and found["signup"]["domains"] == ["example.org"]
    assert found["signup"]["email_confirmation_required"] is True
    assert found["quotas"]["projects"] is None and found["quotas"]["tasks"] == 12
    assert found["limits"]["body_bytes"] == 5000 and found["limits"]["attachment_types"] == ["image/*", "text/plain"]
    assert found["limits"]["requests"] == "600/minute"
    assert [way["title"] for way in found["login"]][:2] == ["Password", "Example Inc."]
    assert found["links"]["terms"] == "https://example.com/terms" and found["links"]["privacy"] is None
    assert found["links"]["docs"] == "https://tasks.example.com/pm/docs"
    assert found["api_versions"] == [
        {
            "name": "v1",
            "url": "https://tasks.example.com/pm/api/v1",
            "document": "https://tasks.example.com/pm/api/v1/openapi.json",
            "deprecated": False,
        }
    ]
    assert {"users", "projects", "tasks"} <= set(found["features"])


def test_it_needs_no_secret_and_tells_none(other_app):
    assert "operators" not in other_app(metrics_token="of operators").test_client().get("/").text
