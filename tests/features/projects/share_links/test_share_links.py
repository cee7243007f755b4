"""Share links: what visitors may see, and that what ends a link ends it at once."""

from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import ShareLink
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from taskmanager.web.schemas import iso
from tests.problems import assert_problem
from tests.scene import patch

PASSWORD = "open sesame 1"


@pytest.fixture
def links(scene) -> str:
    return f"{scene.project_path}/share-links"


@pytest.fixture
def make(scene, links):
    """Makes a link and answers what its manager sees."""

    def make(**body):
        answer = scene.owner.post(links, json={"role": "viewer"} | body)
        assert answer.status_code == 201, answer.text
        return answer.json

    return make


def bearing(app, token):
    """A client that sends this token."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def opened(client, link, password=PASSWORD):
    return client.post("/api/v1/share-links/open", json={"token": link["token"], "password": password})


def test_a_visitor_reads_the_project_and_its_tasks(app, scene, make):
    visitor = bearing(app, make()["token"])
    assert visitor.get(scene.project_path).json["name"] == scene.project.name
    assert [t["id"] for t in visitor.get(scene.tasks_path).json["items"]] == [str(scene.task.id)]
    assert visitor.get(scene.task_path).status_code == 200
    assert visitor.get(f"{scene.project_path}/permissions").json["role"] == "viewer"


def test_a_visitor_sees_no_other_project(app, scene, make):
    other = ProjectFactory(owner=scene.owner.user)
    task = TaskFactory(project=other)
    visitor = bearing(app, make()["token"])
    for path in (f"projects/{other.id}", f"projects/{other.id}/tasks", f"tasks/{task.id}"):
        assert visitor.get(f"/api/v1/{path}").status_code == 404
    assert [p["id"] for p in visitor.get("/api/v1/projects").json["items"]] == [str(scene.project.id)]
    assert [t["id"] for t in visitor.get("/api/v1/tasks").json["items"]] == [str(scene.task.id)]


@pytest.mark.parametrize("role", ["viewer", "commenter"])
def test_a_visitor_changes_nothing_and_sees_no_one(app, scene, make, links, role):
    visitor = bearing(app, make(role=role)["token"])
    everything = {"If-Match": "*"}
    answers = [
        visitor.post(scene.tasks_path, json={"title": "Mine"}),
        visitor.post(scene.tasks_path, json={"title": "Mine"}, headers={"Idempotency-Key": "a"}),
        visitor.post("/api/v1/projects", json={"key": "MINE", "name": "Mine"}),
        patch(visitor, scene.task_path, {"title": "Mine"}),
        visitor.delete(scene.task_path, headers=everything),
        visitor.delete(scene.project_path, headers=everything),
        visitor.get(scene.members_path),
        visitor.get(f"{scene.members_path}/{scene.owner.user.id}"),
        visitor.get("/api/v1/users/me"),
        visitor.post("/api/v1/auth/logout"),
        visitor.get(links),
        visitor.post(links, json={"role": "viewer"}),
        visitor.get(f"{scene.project_path}/invitations"),
        visitor.get("/api/v1/invitations"),
        visitor.post("/api/v1/invitations/accept", json={"token": "tc_x"}),
        visitor.post(f"{scene.project_path}/transfer", json={"user_id": str(scene.owner.user.id)}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert scene.owner.user.email not in visitor.get(scene.task_path).text


def test_tokens_are_not_taken_for_each_other(app, scene, make):
    link = make()
    session = scene.owner.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    body = link["token"].removeprefix("tl_")
    for token in (f"tm_{body}", f"ts_{body}", f"tc_{body}", body, f"tl_{session}", f"ts_{session}", "tl_", "ts_"):
        assert_problem(bearing(app, token).get(scene.project_path), 401)
    assert opened(app.test_client(), {"token": session}).status_code == 422


def test_a_visit_is_no_link(app, scene, make):
    link = make(password=PASSWORD)
    visit = opened(app.test_client(), link).json["access_token"]
    body = visit.removeprefix("ts_")
    assert_problem(bearing(app, f"tl_{body}").get(scene.project_path), 401)
    assert opened(app.test_client(), {"token": visit}).status_code == 401


def test_a_link_with_a_password_is_opened_with_it(app, client, scene, make):
    link = make(password=PASSWORD, role="commenter")
    assert_problem(bearing(app, link["token"]).get(scene.project_path), 401, code="auth.invalid_token")
    assert_problem(opened(client, link, "open sesame 2"), 401, code="share_link.wrong_password")
    answer = client.post("/api/v1/share-links/open", json={"token": link["token"]})
    assert_problem(answer, 401, code="share_link.wrong_password")
    visit = opened(client, link)
    assert visit.status_code == 200
    assert visit.headers["Cache-Control"] == "no-store"
    assert (visit.json["project_id"], visit.json["role"]) == (str(scene.project.id), "commenter")
    assert 3590 <= visit.json["expires_in"] <= 3600
    assert bearing(app, visit.json["access_token"]).get(scene.task_path).status_code == 200


@pytest.mark.parametrize("change", [{"password": "another one"}, {"password": None}, {"password": PASSWORD}])
def test_another_password_ends_visits(app, client, scene, make, links, change):
    link = make(password=PASSWORD)
    visitor = bearing(app, opened(client, link).json["access_token"])
    assert visitor.get(scene.project_path).status_code == 200
    assert patch(scene.owner, f"{links}/{link['id']}", change).status_code == 200
    assert_problem(visitor.get(scene.project_path), 401)


def test_a_visit_ends_with_its_time(app, client, scene, make, monkeypatch):
    link = make(password=PASSWORD)
    visitor = bearing(app, opened(client, link).json["access_token"])
    later = now() + timedelta(minutes=61)
    monkeypatch.setattr("taskmanager.features.projects.share_links.service.now", lambda: later)
    assert_problem(visitor.get(scene.project_path), 401)


def test_a_visit_is_not_longer_than_its_link(client, make):
    link = make(password=PASSWORD, expires_at=iso(now() + timedelta(minutes=5)))
    assert opened(client, link).json["expires_in"] <= 300


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_deleted_link_is_refused_at_once(app, client, scene, make, links, password):
    link = make(**({"password": password} if password else {}))
    token = opened(client, link).json["access_token"] if password else link["token"]
    visitor = bearing(app, token)
    assert visitor.get(scene.project_path).status_code == 200
    assert scene.owner.delete(f"{links}/{link['id']}", headers={"If-Match": "*"}).status_code == 204
    assert_problem(visitor.get(scene.project_path), 401)
    assert_problem(opened(client, link), 401, code="auth.invalid_token")


def test_an_expired_link_is_refused(app, client, scene, make):
    link = make(expires_at=iso(now() + timedelta(hours=1)))
    ShareLink.objects(id=link["id"]).update(set__expires_at=now())
    assert_problem(bearing(app, link["token"]).get(scene.project_path), 401)
    assert_problem(opened(client, link), 401)


def test_the_link_of_a_project_in_the_trash_is_refused(app, client, scene, make):
    link = make()
    scene.owner.delete(scene.project_path, headers={"If-Match": "*"})
    assert_problem(bearing(app, link["token"]).get(scene.project_path), 401)
    assert_problem(opened(client, link), 401)


def test_another_role_counts_at_once(app, scene, make, links):
    link = make(role="commenter")
    visitor = bearing(app, link["token"])
    patch(scene.owner, f"{links}/{link['id']}", {"role": "viewer"})
    assert visitor.get(f"{scene.project_path}/permissions").json["role"] == "viewer"


@pytest.mark.parametrize("role", ["member", "manager", "owner", "admin", None])
def test_a_link_gives_no_more_than_a_commenter_may(scene, make, links, role):
    assert scene.owner.post(links, json={"role": role}).status_code == 422
    assert patch(scene.owner, f"{links}/{make()['id']}", {"role": role}).status_code == 422


def test_managers_see_the_token_and_no_one_the_password(scene, make, links):
    link = make(name="Customer", password=PASSWORD)
    manager = scene.member("manager")
    for answer in (manager.get(links), manager.get(f"{links}/{link['id']}")):
        assert link["token"] in answer.text
        assert "$2b$" not in answer.text
        assert PASSWORD not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert manager.get(f"{links}/{link['id']}").json["has_password"] is True


def test_no_event_holds_a_secret(scene, make, links):
    link = make(password=PASSWORD)
    patch(scene.owner, f"{links}/{link['id']}", {"password": "another one", "name": "New"})
    stored = ShareLink.objects.one(link["id"])
    told = repr([event.to_mongo() for event in Event.objects(kind__startswith="share_link.")])
    assert "has_password" in told
    assert not any(secret in told for secret in (stored.password_hash, link["token"], repr(stored.nonce), PASSWORD))


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("viewer", 403), ("stranger", 404), ("anonymous", 401)])
def test_others_do_not_manage_links(scene, make, links, who, status):
    link, person = make(), scene.who(who)
    path = f"{links}/{link['id']}"
    answers = [
        person.get(links),
        person.get(path),
        person.post(links, json={"role": "viewer"}),
        patch(person, path, {"role": "commenter"}),
        person.delete(path, headers={"If-Match": "*"}),
    ]
    assert {answer.status_code for answer in answers} == {status}


def test_a_link_is_not_found_in_another_project(scene, make):
    other = ProjectFactory(owner=scene.owner.user)
    path = f"/api/v1/projects/{other.id}/share-links/{make()['id']}"
    assert scene.owner.get(path).status_code == 404
    assert scene.owner.delete(path, headers={"If-Match": "*"}).status_code == 404


def test_a_link_cannot_expire_in_the_past(scene, links):
    answer = scene.owner.post(links, json={"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"})
    assert assert_problem(answer, 422)["errors"][0]["location"] == "body.expires_at"


def test_passwords_of_a_link_are_guessed_slowly(scene, make, other_app):
    link = make(password=PASSWORD)
    app = other_app(ratelimit_enabled=True, ratelimit_open_link="3/minute")
    statuses = [opened(app.test_client(), link, f"wrong guess {n}").status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]


def test_visitors_are_counted_by_their_address(scene, make, other_app):
    app = other_app(ratelimit_enabled=True, ratelimit_default="3/minute")
    visitors = [bearing(app, make()["token"]) for _ in range(2)]
    statuses = [visitors[n % 2].get(scene.project_path).status_code for n in range(4)]
    assert statuses == [200, 200, 200, 429]
