"""What is made in a row is listed in that row, whichever process made it and whatever its id."""

from datetime import UTC, datetime, timedelta

import marshmallow as ma
import pytest
import requests
from bson import ObjectId
from itsdangerous import URLSafeSerializer

from taskmanager.core.configuration import settings as core_settings
from taskmanager.features.comments.models import Comment
from taskmanager.features.projects.models import Label, Project
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import task_row
from taskmanager.web import pagination
from tests.problems import assert_problem

NUMBER = 60


@pytest.fixture
def browser(scene, server):
    """Asks the real processes for what the owner of the scene may see; each request may be another process's."""

    def send(method, path, **options):
        headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
        return requests.request(method, server.url + path, headers=headers, timeout=30, **options)

    return send


def test_sixty_tasks_made_in_a_row_are_listed_in_that_row(scene, browser):
    titles = [f"Task {number}" for number in range(NUMBER)]
    for title in titles:
        assert browser("POST", scene.tasks_path, json={"title": title}).status_code == 201
    listed = browser("GET", scene.tasks_path, params={"sort": "created_at", "limit": 200}).json()["items"]
    assert [row["title"] for row in listed if row["title"] in titles] == titles
    times = [row["created_at"] for row in listed]
    assert times == sorted(set(times))  # each later than the one before
    backwards = browser("GET", scene.tasks_path, params={"sort": "-created_at", "limit": 200}).json()["items"]
    assert [row["id"] for row in backwards] == [row["id"] for row in listed][::-1]


def test_so_are_comments_and_what_happened(scene, browser):
    texts = [f"Comment {number}" for number in range(20)]
    for text in texts:
        assert browser("POST", f"{scene.task_path}/comments", json={"text": text}).status_code == 201
    listed = browser("GET", f"{scene.task_path}/comments", params={"limit": 200}).json()["items"]
    assert [row["text"] for row in listed] == texts
    happened = browser("GET", f"{scene.task_path}/activity", params={"limit": 200}).json()["items"]
    made = [row["data"]["comment_id"] for row in happened if row["kind"] == "comment.created" and "data" in row]
    assert made in ([], [row["id"] for row in listed])


def shuffled(number):
    """(id, time of creation): the ids run against the time, as those of several processes may."""
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    ids = sorted((ObjectId() for _ in range(number)), reverse=True)
    return [(one, begin + timedelta(milliseconds=place)) for place, one in enumerate(ids)]


def store(scene, what):
    rows = shuffled(7)
    if what == "tasks":
        made = [task_row(scene.project.id, reporter_id=scene.owner.user.id, title=str(at)) for _, at in rows]
    elif what == "labels":
        made = [Label(project_id=scene.project.id, name=str(at)) for _, at in rows]
    else:
        made = [Comment(task_id=scene.task.id, author_id=scene.owner.user.id, text="x") for _ in rows]
    for document, (one, at) in zip(made, rows, strict=True):
        document.id, document.created_at = one, at
        document.save(force_insert=True)
    return [str(one) for one, _ in rows]


@pytest.mark.parametrize("what", ["tasks", "labels", "comments"])
@pytest.mark.parametrize("sort", ["created_at", "-created_at"])
def test_pages_follow_the_time_also_where_ids_run_against_it(scene, what, sort):
    Task.objects(id__ne=scene.task.id).delete()
    made = store(scene, what)
    path = f"{scene.task_path if what == 'comments' else scene.project_path}/{what}"
    found, query = [], {"sort": sort, "limit": 2}
    while True:
        page = scene.owner.get(path, query_string=query).json
        found += [row["id"] for row in page["items"] if row["id"] != str(scene.task.id)]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == (made if sort == "created_at" else made[::-1])


def test_a_cursor_of_an_earlier_release_is_refused_clearly(scene):
    """It says an id only; it is signed with the same secret for the same list."""
    salt = repr((scene.tasks_path, [], ""))
    cursor = URLSafeSerializer(core_settings.current().secret(), salt=salt).dumps([["o", str(ObjectId())]])
    assert_problem(scene.owner.get(scene.tasks_path, query_string={"cursor": cursor}), 400, "cursor.outdated")


def test_no_list_is_in_the_order_of_ids(app):
    """Each list of the API says by which stored fields it is sorted: an id alone is no order in time."""
    orders = [sort.orders for sort in _sorts(app)]
    assert len(orders) > 20
    assert [found for found in orders if "_id" in " ".join(found.values()).replace(",", " ").split()] == []


def _sorts(app):
    for view in app.view_functions.values():
        for part in getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", []):
            if isinstance(part, dict) and part["in"] == "query":
                schema = part["schema"] if isinstance(part["schema"], ma.Schema) else part["schema"]()
                if isinstance(field := schema.fields.get("sort"), pagination.SortParameter):
                    yield field


def test_a_time_that_a_wrong_clock_left_behind_does_not_spread(scene):
    """One task that an earlier release made an hour ahead of time keeps its time; those after it have theirs."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    Project.objects(id=scene.project.id).update(set__last_created_at=ahead)
    made = scene.owner.post(scene.tasks_path, json={"title": "Now"}).json
    assert datetime.fromisoformat(made["created_at"]) < ahead - timedelta(minutes=30)
