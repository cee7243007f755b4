"""Visitors by share link read the present state: each route that they may call, and what it does not show them."""

import pytest

from taskmanager.features.projects.share_links.service import _SCOPES
from taskmanager.testing.factories import TaskFactory
from tests.features.matrix import TABLE
from tests.features.test_matrix import Places, views
from tests.problems import assert_problem
from tests.scene import patch

OLD, ANY = "xyzzy-old", {"If-Match": "*"}

# What a link's scopes admit and the route itself answers; all else in the table is refused before.
READ = {
    "GET /api/v1/projects",
    "GET /api/v1/projects/<project_id>",
    "GET /api/v1/projects/<project_id>/permissions",
    "GET /api/v1/projects/<project_id>/statuses",
    "GET /api/v1/projects/<project_id>/labels",
    "GET /api/v1/projects/<project_id>/labels/<label_id>",
    "GET /api/v1/projects/<project_id>/custom-fields",
    "GET /api/v1/projects/<project_id>/custom-fields/<field_id>",
    "GET /api/v1/projects/<project_id>/tasks",
    "GET /api/v1/projects/<project_id>/views",
    "GET /api/v1/projects/<project_id>/views/<view_id>",
    "GET /api/v1/projects/<project_id>/views/<view_id>/tasks",
    "GET /api/v1/projects/<project_id>/facets",
    "GET /api/v1/projects/<project_id>/stats",
    "GET /api/v1/tasks",
    "GET /api/v1/tasks/<task_id>",
    "GET /api/v1/tasks/by-key/<key>",
    "GET /api/v1/tasks/facets",
    "GET /api/v1/tasks/stats",
    "GET /api/v1/tasks/<task_id>/comments",
    "GET /api/v1/tasks/<task_id>/comments/<comment_id>",
    "GET /api/v1/tasks/<task_id>/attachments",
    "GET /api/v1/tasks/<task_id>/attachments/<attachment_id>",
    "GET /api/v1/tasks/<task_id>/attachments/<attachment_id>/content",
    "GET /api/v1/tasks/<task_id>/relations",
    "GET /api/v1/tasks/<task_id>/subtasks",
    "GET /api/v1/tasks/<task_id>/relations/<relation_id>",
    "GET /api/v1/tasks/<task_id>/occurrences",
    "GET /api/v1/search",
    "GET /api/v1/stream",
    "GET /api/v1/sync",
    "GET /api/v1/trash",
}
FOR_MEMBERS = {
    "GET /api/v1/tasks/<task_id>/activity",
    "GET /api/v1/tasks/<task_id>/comments/<comment_id>/history",
    "GET /api/v1/tasks/<task_id>/reminders",
    "GET /api/v1/tasks/<task_id>/reminders/<reminder_id>",
    "GET /api/v1/views",
    "GET /api/v1/views/<view_id>",
    "GET /api/v1/views/<view_id>/tasks",
    "GET /api/v1/projects/<project_id>/notifications",
}


@pytest.fixture
def visitor(app, scene):
    made = scene.owner.post(f"{scene.project_path}/share-links", json={"role": "commenter"}).json
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made['token']}"
    return client


@pytest.fixture
def past(scene):
    """A project in which much was said and taken back; answers paths of a comment."""
    owner = scene.owner
    patch(owner, scene.project_path, {"description": OLD})
    patch(owner, scene.project_path, {"description": "present"})
    patch(owner, scene.task_path, {"title": OLD, "description": OLD})
    patch(owner, scene.task_path, {"title": "Present", "description": "present"})
    comment = owner.post(f"{scene.task_path}/comments", json={"text": OLD}).json["id"]
    patch(owner, f"{scene.task_path}/comments/{comment}", {"text": f"present @{owner.user.email} @{owner.user.id}"})
    removed = owner.post(f"{scene.task_path}/comments", json={"text": OLD}).json["id"]
    owner.delete(f"{scene.task_path}/comments/{removed}", headers=ANY)
    trashed = TaskFactory(project=scene.project, title=OLD)
    owner.delete(f"/api/v1/tasks/{trashed.id}", headers=ANY)
    return f"{scene.task_path}/comments/{comment}"


def test_every_route_that_a_link_admits_is_known(app):
    admitted = _SCOPES["commenter"]
    found = {name for name, scope in views(app).items() if name.startswith("GET ") and scope in admitted}
    assert found <= READ | FOR_MEMBERS, found - READ - FOR_MEMBERS


def test_no_route_shows_a_visitor_old_texts_or_addresses(app, scene, visitor, past):
    places = Places(scene)
    places["comment"] = past.rsplit("/", 1)[1]
    known = {name for name in views(app) if name in READ}
    for name in sorted(known):
        rule = (TABLE[name].path or name.split(" ")[1]).format_map(places)
        answer = visitor.get(rule)
        assert answer.status_code in (200, 307, 404), (name, answer.text)
        assert OLD not in answer.text, name
        assert scene.owner.user.email not in answer.text, name


def test_the_past_is_for_members(scene, visitor, past):
    for path in (f"{scene.task_path}/activity", f"{past}/history"):
        assert_problem(visitor.get(path), 403, code="auth.account_needed")
        assert OLD in scene.member("viewer").get(path).text


def test_a_mention_keeps_its_address_from_visitors_only(scene, visitor, past):
    for path in (past, f"{past}?html=true", f"{scene.task_path}/comments?html=true"):
        assert scene.owner.user.email not in visitor.get(path).text
        assert str(scene.owner.user.id) in visitor.get(path).text
        assert scene.owner.user.email in scene.owner.get(path).text
