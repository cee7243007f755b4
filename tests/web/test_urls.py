"""Links, Location and the documents are right behind a proxy and below a path."""

import re

import pytest

from taskmanager.testing.factories import TaskFactory
from tests.scene import Scene

BEHIND = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "tasks.example.com", "X-Forwarded-For": "192.0.2.1"}


def link_of(answer):
    return re.fullmatch(r'<(.*)>; rel="next"', answer.headers["Link"])[1]


def test_the_link_to_the_next_page_is_absolute_and_works(scene):
    TaskFactory(project=scene.project)
    link = link_of(scene.owner.get(f"{scene.tasks_path}?limit=1"))
    assert link.startswith(f"http://localhost{scene.tasks_path}?limit=1&cursor=")
    assert len(scene.owner.get(link).json["items"]) == 1


def test_it_has_the_host_that_the_proxy_was_asked_for(other_app):
    scene = Scene(other_app(proxy_count=1))
    TaskFactory(project=scene.project)
    answer = scene.owner.get(f"{scene.tasks_path}?limit=1", headers=BEHIND)
    assert link_of(answer).startswith(f"https://tasks.example.com{scene.tasks_path}?")


def test_headers_of_a_proxy_that_is_not_trusted_change_nothing(scene):
    TaskFactory(project=scene.project)
    answer = scene.owner.get(f"{scene.tasks_path}?limit=1", headers=BEHIND | {"X-Forwarded-Prefix": "/pm"})
    assert link_of(answer).startswith("http://localhost/api/v1/")


def test_the_stream_is_at_the_origin_of_the_public_url(settings):
    """Its paths begin with the prefix of the public URL already."""
    changes = {"environment": "production", "public_url": "https://tasks.example.com/pm", "stream_url": ""}
    assert settings.model_copy(update=changes).stream_base == "https://tasks.example.com"


@pytest.fixture(params=["forwarded prefix", "path taken off", "path left on"])
def below(request, other_app):
    """A service below /pm, in the three ways that proxies do it, and how a client asks it for a path."""
    if request.param == "forwarded prefix":
        app, prefix, headers = other_app(proxy_count=1), "", BEHIND | {"X-Forwarded-Prefix": "/pm"}
    else:
        app, headers = other_app(public_url="https://tasks.example.com/pm/"), {}
        prefix = "/pm" if request.param == "path left on" else ""
    scene = Scene(app)

    def ask(method, path, **options):
        return scene.owner.open(prefix + path, method=method, headers=headers | options.pop("headers", {}), **options)

    scene.ask = ask
    return scene


def test_links_below_a_path(below):
    TaskFactory(project=below.project)
    answer = below.ask("GET", f"{below.tasks_path}?limit=1")
    assert link_of(answer).startswith(f"https://tasks.example.com/pm{below.tasks_path}?limit=1&cursor=")
    next_page = link_of(answer).removeprefix("https://tasks.example.com/pm")
    assert len(below.ask("GET", next_page).json["items"]) == 1


def test_location_below_a_path(below):
    answer = below.ask("POST", below.tasks_path, json={"title": "a"})
    assert answer.headers["Location"] == f"/pm/api/v1/tasks/{answer.json['id']}"


def test_what_an_error_is_about_below_a_path(below):
    assert below.ask("GET", "/api/v1/nothing").json["instance"] == "/pm/api/v1/nothing"


def test_documents_below_a_path(below):
    assert below.ask("GET", "/api/v1/openapi.json").json["servers"] == [{"url": "/pm"}]
    page = below.ask("GET", "/docs").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources and all(source.startswith("/pm/") for source in sources)
    for source in sources:
        with below.ask("GET", source.removeprefix("/pm")) as asset:
            assert asset.status_code == 200


def test_the_front_page_below_a_path(other_app):
    client = other_app(public_url="https://tasks.example.com/pm").test_client()
    for path in ("/pm", "/pm/", "/"):
        answer = client.get(path)
        assert answer.json["links"]["docs"] == "https://tasks.example.com/pm/docs", path


def test_a_public_path_that_begins_as_our_own(other_app):
    scene = Scene(other_app(public_url="https://example.com/api"))
    for path in (scene.tasks_path, f"/api{scene.tasks_path}"):
        made = scene.owner.post(path, json={"title": "a"})
        assert made.headers["Location"] == f"/api/api/v1/tasks/{made.json['id']}"


@pytest.mark.parametrize(
    ("host", "url"),
    [("::1", "http://[::1]:8000"), ("127.0.0.1", "http://127.0.0.1:8000"), ("a.test", "http://a.test:8000")],
)
def test_an_address_of_version_6_stands_in_brackets(settings, host, url):
    assert settings.model_copy(update={"host": host, "port": 8000, "public_url": ""}).base_url == url


def test_a_prefix_that_is_no_path_is_none(other_app):
    client = other_app(proxy_count=1).test_client()
    for prefix in ("//evil.example", "/a b", "pm", "/" + "x" * 200, "/pm?x", '/"'):
        answer = client.get("/api/v1/openapi.json", headers=BEHIND | {"X-Forwarded-Prefix": prefix})
        assert answer.json["servers"] == [{"url": "/"}], prefix


def test_a_forwarded_prefix_may_be_left_on_the_path(other_app):
    scene = Scene(other_app(proxy_count=1))
    answer = scene.owner.get(f"/pm{scene.task_path}", headers=BEHIND | {"X-Forwarded-Prefix": "/pm"})
    assert answer.status_code == 200
