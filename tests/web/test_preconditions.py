"""Conditional requests on every method (RFC 9110, 13), with tags as proxies rewrite them."""

from datetime import timedelta
from itertools import product

import pytest

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Notification
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, UserFactory
from tests.features.files import attach
from tests.problems import assert_problem
from tests.scene import patch


@pytest.fixture(params=["task_path", "tasks_path", "project_path", "members_path", "me", "attachment"])
def readable(request, scene):
    """A path of each sort of answer that has an ETag."""
    if request.param == "attachment":
        made = attach(scene.owner, scene.task_path, b"0123456789").json
        return f"{scene.task_path}/attachments/{made['id']}/content"
    return "/api/v1/users/me" if request.param == "me" else getattr(scene, request.param)


# --- GET and HEAD ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_with_a_failing_if_match_is_a_412(scene, readable, method):
    answer = scene.owner.open(readable, method=method, headers={"If-Match": '"other"'})
    assert answer.status_code == 412
    if method == "GET":
        assert_problem(answer, 412, code="precondition.failed")


def test_a_read_with_a_holding_if_match_is_answered(scene, readable):
    etag = scene.owner.get(readable).headers["ETag"]
    for header in (etag, "*", f'"other", {etag}'):
        assert scene.owner.get(readable, headers={"If-Match": header}).status_code == 200, header


def test_if_match_is_looked_at_before_if_none_match(scene):
    etag = scene.owner.get(scene.task_path).headers["ETag"]
    headers = {"If-Match": '"other"', "If-None-Match": etag}
    assert_problem(scene.owner.get(scene.task_path, headers=headers), 412)
    assert scene.owner.get(scene.task_path, headers={"If-Match": etag, "If-None-Match": etag}).status_code == 304


def test_an_answer_that_would_be_an_error_stays_that_error(scene):
    missing = "/api/v1/tasks/65f1c0ffee0123456789abcd"
    assert_problem(scene.owner.get(missing, headers={"If-Match": '"other"'}), 404)
    assert_problem(scene.who("anonymous").get(scene.task_path, headers={"If-Match": '"other"'}), 401)


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_dates_are_ignored_where_nothing_has_a_date(scene, readable, name):
    answer = scene.owner.get(readable, headers={name: "Sat, 01 Jan 2000 00:00:00 GMT"})
    assert answer.status_code == 200
    assert "Last-Modified" not in answer.headers


# --- PATCH, PUT, DELETE ---------------------------------------------------------------------------------------

REWRITTEN = [
    'W/"1"',
    '"1-gzip"',
    '"1--gzip"',
    '"1;gzip"',
    '"1:zstd"',
    '"1:br"',
    'W/"1-gzip"',
    'W/"1;br"',
    '"1-deflate"',
]


@pytest.mark.parametrize("tag", REWRITTEN)
def test_a_tag_as_a_proxy_rewrites_it_is_good_for_a_change(scene, tag):
    assert patch(scene.owner, scene.task_path, {"title": "b"}, **{"If-Match": tag}).status_code == 200
    assert_problem(patch(scene.owner, scene.task_path, {"title": "c"}, **{"If-Match": tag}), 412)


@pytest.mark.parametrize("tag", REWRITTEN)
def test_and_for_a_read(scene, tag):
    assert scene.owner.get(scene.task_path, headers={"If-None-Match": tag}).status_code == 304
    assert scene.owner.get(scene.task_path, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "status"),
    [
        ("*", '"1"', 412),
        ("*", 'W/"1-gzip"', 412),
        ("*", "*", 412),
        ('"1"', '"1"', 412),
        (None, "*", 412),
        (None, '"1"', 428),
        ("*", '"7"', 200),
        ('"1"', '"7"', 200),
        ("*", '"other"', 200),
    ],
)
def test_if_none_match_holds_for_changes_too(scene, if_match, if_none_match, status):
    given = {"If-Match": if_match, "If-None-Match": if_none_match}
    headers = {name: value for name, value in given.items() if value}
    answer = scene.owner.patch(scene.task_path, json={"title": "b"}, headers=headers)
    assert answer.status_code == status
    assert scene.owner.get(scene.task_path).json["title"] == ("b" if status == 200 else "Write the notes")


def test_a_delete_with_a_failing_if_none_match_deletes_nothing(scene):
    headers = {"If-Match": "*", "If-None-Match": '"1"'}
    assert_problem(scene.owner.delete(scene.task_path, headers=headers), 412)
    assert scene.owner.get(scene.task_path).status_code == 200


# --- POST -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"1"'}, 412),
        ({"If-Match": "*"}, 201),
        ({"If-None-Match": "*"}, 412),
        ({"If-None-Match": '"1"'}, 201),
    ],
)
def test_a_post_keeps_preconditions(scene, headers, status):
    assert scene.owner.post(scene.tasks_path, json={"title": "New"}, headers=headers).status_code == status
    titles = [item["title"] for item in scene.owner.get(scene.tasks_path).json["items"]]
    assert ("New" in titles) == (status == 201)


def test_what_can_only_be_posted_to_is_there_but_has_no_representation(scene, client):
    body = {"email": scene.owner.user.email, "password": "wrong"}
    for header in ("If-Match", "If-None-Match"):
        assert_problem(client.post("/api/v1/auth/login", json=body, headers={header: "*"}), 401)


# --- toggles --------------------------------------------------------------------------------------------------


def toggles(scene):
    comment = scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hello"}).json["id"]
    notification = Notification(
        user_id=scene.owner.user.id,
        event_id="65f1c0ffee0123456789abcd",
        kind="task.assigned",
        project_id=scene.project.id,
        task_id=scene.task.id,
        title="Hello",
        text="Hello",
        expires_at=now() + timedelta(days=1),
    ).save()
    yield "PUT", f"{scene.task_path}/comments/{comment}/reactions/+1", None
    yield "DELETE", f"{scene.task_path}/comments/{comment}/reactions/+1", None
    yield "PUT", f"{scene.task_path}/watchers/{scene.owner.user.id}", None
    yield "DELETE", f"{scene.task_path}/watchers/{scene.owner.user.id}", None
    yield "PUT", f"{scene.task_path}/position", {"at": "first"}
    yield "PUT", f"{scene.project_path}/position", {"after": str(ProjectFactory(owner=scene.owner.user).id)}
    yield "PUT", f"/api/v1/notifications/{notification.id}/read", None
    yield "DELETE", f"/api/v1/notifications/{notification.id}/read", None
    yield "PUT", "/api/v1/notifications/read", {}


def test_toggles_need_no_if_match_and_may_be_repeated(scene):
    for method, path, body in toggles(scene):
        for _ in range(2):
            answer = scene.owner.open(path, method=method, json=body)
            assert answer.status_code in (200, 204), (method, path, answer.text)


def test_a_stale_if_match_that_is_given_holds_for_them_too(scene):
    for method, path, body in toggles(scene):
        assert_problem(scene.owner.open(path, method=method, json=body, headers={"If-Match": '"77"'}), 412)


EMPTY, STALE = "", '"1"'


def test_what_has_no_revision_is_changed_only_when_any_state_is_admitted(scene, app):
    admin = sign_in(app, UserFactory(role="admin"))
    calendar, message = "/api/v1/users/me/calendar", "/api/v1/message-of-the-day"
    url = scene.owner.put(calendar).json["url"]
    for who, path, body in ((scene.owner, calendar, None), (admin, message, {"text": "Hello"})):
        for method, header in product(("PUT", "DELETE"), (EMPTY, STALE, "1", ",")):
            given = body if method == "PUT" else None
            assert_problem(who.open(path, method=method, json=given, headers={"If-Match": header}), 412)
    assert scene.owner.get(calendar).json["url"] == url
    assert scene.owner.put(calendar, headers={"If-Match": "*"}).json["url"] != url
    assert scene.owner.delete(calendar, headers={"If-Match": "*"}).status_code == 204


def test_an_empty_if_match_matches_nothing_wherever_it_is_sent(scene):
    answers = [patch(scene.owner, scene.task_path, {"title": "b"}, **{"If-Match": EMPTY})]
    answers += [scene.owner.get(scene.task_path, headers={"If-Match": EMPTY})]
    answers += [scene.owner.post(scene.tasks_path, json={"title": "b"}, headers={"If-Match": EMPTY})]
    answers += [
        scene.owner.open(path, method=method, json=body, headers={"If-Match": EMPTY})
        for method, path, body in toggles(scene)
    ]
    for answer in answers:
        assert_problem(answer, 412, code="precondition.failed")
