"""Pages of other origins: only those that the operator names may use the API, and they can read every response."""

import pytest

from taskmanager.core.configuration.origins import patterns
from taskmanager.core.storage.breaker import unavailable
from taskmanager.web.browsers.cors import ALLOWED, EXPOSED
from tests.packaging.building import ROOT
from tests.scene import Scene

ORIGINS = "https://app.example.org, https://*.pages.example:8443, http://localhost:*"
HERE = "https://app.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,if-match"}


@pytest.fixture
def shared(other_app):
    """A scene whose API pages of ORIGINS may use."""
    return Scene(other_app(cors_origins=ORIGINS))


def allowed(answer):
    return answer.headers.getlist("Access-Control-Allow-Origin")


def varies(answer):
    return {word.lower() for word in answer.vary}


NAMED = [HERE, "HTTPS://APP.example.org", "https://a.pages.example:8443", "https://a.b-c.pages.example:8443",
         "http://localhost", "http://localhost:5173"]  # fmt: skip
OTHERS = ["https://evil.example", "http://app.example.org", "https://app.example.org.evil.example",
          "https://appXexample.org", "https://app.example.org:444", "https://evil-pages.example:8443",
          "https://pages.example:8443", "https://.pages.example:8443", "https://a.pages.example",
          "https://a.pages.example:8443.evil.example", "https://evil.example/.pages.example:8443",
          "https://evil.example#a.pages.example:8443", "http://localhost.evil.example",
          "http://localhost:5173.evil.example", "null", "", "*", "https://app.example.org https://evil.example",
          "https://evil.example, https://app.example.org"]  # fmt: skip


def test_a_named_origin_is_allowed_by_its_own_name(shared):
    for origin in NAMED:
        answer = shared.owner.get(shared.task_path, headers={"Origin": origin})
        assert allowed(answer) == [origin]
        assert "origin" in varies(answer)
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_any_other_origin_is_not(shared):
    for origin in OTHERS:
        for method, headers in (("GET", {}), ("OPTIONS", PREFLIGHT)):
            answer = shared.owner.open(shared.task_path, method=method, headers={"Origin": origin, **headers})
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")], origin
            assert "origin" in varies(answer), origin


def test_a_pattern_matches_no_origin_with_a_line_break():
    assert not any(found.match(f"{HERE}\n") for found in patterns(ORIGINS))


def test_without_the_setting_no_response_speaks_of_origins(app, scene):
    for method, headers in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        answer = scene.owner.open(scene.task_path, method=method, headers={"Origin": HERE, **headers})
        assert not allowed(answer) and "origin" not in varies(answer)


def test_every_page_may_use_it_when_the_operator_says_so(other_app):
    scene = Scene(other_app(cors_origins="*"))
    answer = scene.owner.get(scene.task_path, headers={"Origin": "https://any.example"})
    assert allowed(answer) == ["*"] and "origin" not in varies(answer)


@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/tasks/no-id", "/api/v1/nothing", "/api/v1/auth/login"])
def test_a_preflight_needs_no_token_and_no_route_and_is_not_counted(other_app, path):
    client = other_app(cors_origins=ORIGINS, ratelimit_enabled=True, ratelimit_default="1/hour").test_client()
    for _ in range(3):
        answer = client.options(path, headers={"Origin": HERE, **PREFLIGHT})
        assert answer.status_code == 204 and not answer.data
        assert allowed(answer) == [HERE]
        assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization, if-match"
        assert int(answer.headers["Access-Control-Max-Age"]) >= 600
        assert {"origin", "access-control-request-method"} <= varies(answer)
    limited = [client.get("/api/v1/projects", headers={"Origin": HERE}) for _ in range(2)][-1]
    assert limited.status_code == 429 and allowed(limited) == [HERE]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(limited.headers.keys())


def test_a_preflight_admits_the_headers_of_the_conventions_and_no_others(shared):
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "cookie,x-evil," + ",".join(ALLOWED),
    }
    answer = shared.who("anonymous").options(shared.tasks_path, headers={"Origin": HERE, **asked})
    assert answer.headers["Access-Control-Allow-Headers"].split(", ") == sorted(ALLOWED)


def test_every_response_can_be_read_also_errors_and_304(shared):
    owner, here = shared.owner, {"Origin": HERE}
    path = shared.task_path
    tag = owner.get(path).headers["ETag"]
    answers = {
        200: owner.get(path, headers=here | {"Accept-Encoding": "gzip"}),
        201: owner.post(shared.tasks_path, json={"title": "a"}, headers=here),
        304: owner.get(path, headers=here | {"If-None-Match": tag}),
        400: owner.post(shared.tasks_path, data="{", content_type="application/json", headers=here),
        401: shared.who("anonymous").get(path, headers=here),
        404: owner.get("/api/v1/nothing", headers=here),
        405: owner.put("/api/v1/projects", headers=here),
        412: owner.patch(path, json={"title": "b"}, headers=here | {"If-Match": '"99"'}),
        413: owner.post(shared.tasks_path, data=b"x" * 1_000_001, content_type="application/json", headers=here),
        422: owner.post(shared.tasks_path, json={}, headers=here),
        428: owner.patch(path, json={"title": "b"}, headers=here),
    }
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    for answer in answers.values():
        assert allowed(answer) == [HERE]
        assert set(EXPOSED) == set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert {"origin", "accept-encoding", "authorization"} <= varies(answer)
        assert len(answer.headers.getlist("Vary")) == 1


def test_a_crash_and_a_database_that_is_away_can_be_read(other_app):
    app = other_app(cors_origins=ORIGINS)

    def crash():
        raise ZeroDivisionError

    def away():
        raise unavailable()

    app.add_url_rule("/crash", "crash", crash)
    app.add_url_rule("/away", "away", away)
    for path, status in (("/crash", 500), ("/away", 503)):
        answer = app.test_client().get(path, headers={"Origin": HERE})
        assert answer.status_code == status and allowed(answer) == [HERE]


def test_public_files_are_kept_apart_by_origin_in_caches(shared):
    for headers in ({}, {"Origin": HERE}, {"Origin": "https://evil.example"}):
        answer = shared.who("anonymous").get("/.well-known/jwks.json", headers=headers)
        assert "public" in answer.headers["Cache-Control"] and "origin" in varies(answer)


def test_the_guide_lists_the_headers():
    documented = (ROOT / "docs/clients.md").read_text()
    assert [name for name in (*ALLOWED, *EXPOSED) if f"`{name}`" not in documented] == []
