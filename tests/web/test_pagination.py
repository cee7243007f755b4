"""Lists: every row once in every order, whatever changes meanwhile; cursors that are bound to their list."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId
from hypothesis import given, settings, strategies as st
from itsdangerous import URLSafeSerializer

from taskmanager.core.configuration.settings import current
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import TaskFactory, task_row
from taskmanager.web.cursors import make_cursor, read_cursor
from tests.problems import assert_problem
from tests.scene import patch

# What a list can be sorted by, and the stored field.
ORDERS = {"created_at": "created_at", "updated_at": "updated_at", "due_at": "due_at", "priority": "priority"}
SORTS = [sign + name for name in ORDERS for sign in ("", "-")]
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def fill(scene, rows):
    """Store a task for each (due in days or None, priority, changed in minutes); a thousand take no time."""
    documents = [
        task_row(
            scene.project.id,
            reporter_id=scene.owner.user.id,
            title=f"Task {number}",
            due_at=None if due is None else _EPOCH + timedelta(days=due),
            priority=priority,
            updated_at=_EPOCH + timedelta(minutes=changed),
        )
        for number, (due, priority, changed) in enumerate(rows)
    ]
    Task.objects.insert(documents, load_bulk=False)
    return documents


def pages(client, path, **query):
    """The ids of all rows, page by page."""
    found = []
    for _ in range(500):
        answer = client.get(path, query_string=query)
        assert answer.status_code == 200, answer.text
        found += [row["id"] for row in answer.json["items"]]
        query["cursor"] = answer.json["next_cursor"]
        if query["cursor"] is None:
            return found
    raise AssertionError("the list does not end")


def in_order(documents, sort):
    """The ids as the list must give them: nothing is less than everything, and ties are broken by id."""
    field = ORDERS[sort.lstrip("-")]

    def key(document):
        value = getattr(document, field)
        return (0, 0, document.id) if value is None else (1, value, document.id)

    return [str(document.id) for document in sorted(documents, key=key, reverse=sort.startswith("-"))]


_ROWS = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=12
)


@pytest.mark.parametrize("sort", SORTS)
@given(rows=_ROWS, limit=st.integers(1, 5))
@settings(max_examples=8)
def test_each_order_walks_every_row_once_and_in_order(scene, sort, rows, limit):
    Task.objects.delete()
    made = fill(scene, rows)
    assert pages(scene.owner, scene.tasks_path, sort=sort, limit=limit) == in_order(made, sort)


@pytest.mark.parametrize("sort", SORTS)
def test_rows_that_come_and_go_meanwhile_repeat_and_drop_no_other(scene, sort):
    made = fill(scene, [(number % 3 or None, number % 4, number) for number in range(12)])
    first = scene.owner.get(scene.tasks_path, query_string={"sort": sort, "limit": 5}).json
    seen = [row["id"] for row in first["items"]]
    fill(scene, [(1, 2, 5), (None, 0, 0), (9, 4, 99)])
    Task.objects(id=seen[-1]).delete()
    rest = pages(scene.owner, scene.tasks_path, sort=sort, limit=5, cursor=first["next_cursor"])
    assert set(seen) & set(rest) == set()
    assert {str(task.id) for task in made} <= {*seen, *rest}


_EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.none() | st.integers(0, 3), st.integers(0, 4)),
        st.tuples(st.just("delete"), st.integers(0, 30), st.just(0)),
    ),
    max_size=4,
)


@given(
    sort=st.sampled_from([*SORTS, "-due_at,priority", "priority,-due_at", "position"]),
    rows=_ROWS,
    edits=st.lists(_EDITS, max_size=6),
    limit=st.integers(1, 4),
)
@settings(max_examples=40)
def test_whatever_comes_and_goes_between_pages_what_stands_still_is_there_once(scene, sort, rows, edits, limit):
    Task.objects.delete()
    standing = {str(task.id) for task in fill(scene, rows)}
    found, query, edits = [], {"sort": sort, "limit": limit}, iter(edits)
    while True:
        page = scene.owner.get(scene.tasks_path, query_string=query).json
        found += [row["id"] for row in page["items"]]
        query["cursor"] = page["next_cursor"]
        if query["cursor"] is None:
            break
        for kind, value, priority in next(edits, ()):
            if kind == "insert":
                fill(scene, [(value, priority, 1)])
            elif gone := Task.objects.order_by("id").skip(value).first():
                standing.discard(str(gone.id))
                gone.delete()
    assert len(found) == len(set(found))
    assert standing <= set(found)


def test_a_change_meanwhile_does_not_move_the_rows_of_a_list_by_creation(scene):
    made = fill(scene, [(None, 0, 0)] * 6)
    first = scene.owner.get(scene.tasks_path, query_string={"limit": 3}).json
    patch(scene.owner, f"/api/v1/tasks/{made[0].id}", {"priority": "urgent", "due": "2026-12-01"})
    rest = pages(scene.owner, scene.tasks_path, limit=3, cursor=first["next_cursor"])
    assert [row["id"] for row in first["items"]] + rest == [str(task.id) for task in (scene.task, *made)]


@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/tasks", "tasks_path", "members_path"])
@pytest.mark.parametrize("sort", ["created_at", "-created_at"])
def test_every_list_goes_on_by_its_link(scene, path, sort):
    for number in range(3):
        scene.member()
        scene.owner.post("/api/v1/projects", json={"key": f"Z{number}", "name": "a"})
        TaskFactory(project=scene.project)
    path = getattr(scene, path, path)
    whole = scene.owner.get(path, query_string={"sort": sort}).json["items"]
    found, link = [], f"{path}?sort={sort}&limit=1"
    while link:
        answer = scene.owner.get(link)
        found += answer.json["items"]
        link = "Link" in answer.headers and re.fullmatch(r'<(.*)>; rel="next"', answer.headers["Link"])[1]
    assert found == whole
    assert len(whole) >= 3


def test_the_last_page_has_no_cursor_even_when_it_is_full(scene):
    fill(scene, [(None, 0, 0)] * 3)
    answer = scene.owner.get(scene.tasks_path, query_string={"limit": 4})
    assert (answer.json["next_cursor"], "Link" in answer.headers) == (None, False)


@pytest.mark.parametrize(
    "change",
    [
        {"sort": "-created_at"},
        {"sort": "due_at"},
        {"sort": None},
        {"nonsense": "1"},
        {"cursor": lambda cursor: cursor[:-1]},
        {"cursor": lambda cursor: cursor + "A"},
        {"cursor": lambda cursor: cursor.swapcase()},
        {"cursor": lambda cursor: "A" + cursor},
        {"cursor": lambda cursor: cursor.partition(".")[0]},
        {"cursor": lambda cursor: "." + cursor},
    ],
)
def test_a_cursor_is_good_for_the_query_that_made_it_only(scene, change):
    fill(scene, [(1, 1, 1)] * 3)
    query = {"sort": "priority", "limit": "1"}
    cursor = scene.owner.get(scene.tasks_path, query_string=query).json["next_cursor"]
    changed = {name: value(cursor) if callable(value) else value for name, value in change.items()}
    query = {name: value for name, value in (query | {"cursor": cursor} | changed).items() if value is not None}
    assert_problem(scene.owner.get(scene.tasks_path, query_string=query), 422 if "nonsense" in change else 400)


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/v1/projects", "members_path"])
def test_a_cursor_is_good_for_the_list_that_made_it_only(scene, path):
    fill(scene, [(1, 1, 1)] * 3)
    cursor = scene.owner.get(scene.tasks_path, query_string={"limit": 1}).json["next_cursor"]
    answer = scene.owner.get(getattr(scene, path, path), query_string={"limit": 1, "cursor": cursor})
    assert_problem(answer, 400, code="cursor.invalid")


@pytest.mark.parametrize("change", [{"limit": 7}, {"fields": "id"}, {"with_total": "true"}])
def test_what_does_not_choose_rows_may_change_from_page_to_page(scene, change):
    fill(scene, [(1, 1, 1)] * 3)
    cursor = scene.owner.get(scene.tasks_path, query_string={"limit": 1}).json["next_cursor"]
    answer = scene.owner.get(scene.tasks_path, query_string={"limit": 1, "cursor": cursor} | change)
    assert answer.status_code == 200


def test_a_cursor_opens_nothing_to_a_stranger(scene):
    fill(scene, [(1, 1, 1)] * 3)
    cursor = scene.owner.get("/api/v1/tasks", query_string={"limit": 1}).json["next_cursor"]
    answer = scene.who("stranger").get("/api/v1/tasks", query_string={"limit": 1, "cursor": cursor})
    assert answer.json["items"] == []


def test_a_query_that_came_before_means_the_same_on_its_own_list_only(scene):
    for _ in range(2):
        found = scene.owner.get(f"{scene.tasks_path}?limit=1&fields=title")
        assert (found.status_code, [item.keys() for item in found.json["items"]]) == (200, [{"title"}])
        assert scene.owner.get(f"{scene.project_path}/labels?limit=1&fields=title").status_code == 422
        assert scene.owner.get(f"{scene.tasks_path}?limit=1&fields=nothing").status_code == 422
        assert scene.owner.get(f"{scene.tasks_path}?limit=1&limit=2").status_code == 422


def test_a_total_only_when_asked_for(scene):
    fill(scene, [(1, 1, 1)] * 3)
    assert "total" not in scene.owner.get(scene.tasks_path).json
    answer = scene.owner.get(scene.tasks_path, query_string={"with_total": "true", "limit": 1})
    assert answer.json["total"] == 4


def test_a_total_is_exact_to_ten_thousand_and_then_bounded(scene):
    rows = [{"_id": ObjectId(), "project_id": scene.project.id, "key": str(n), "revision": 1} for n in range(9_999)]
    Task._get_collection().insert_many(rows)
    query = {"with_total": "true", "limit": 1, "fields": "id"}
    assert scene.owner.get(scene.tasks_path, query_string=query).json["total"] == 10_000
    Task._get_collection().insert_one({"_id": ObjectId(), "project_id": scene.project.id, "key": "x", "revision": 1})
    bounded = scene.owner.get(scene.tasks_path, query_string=query).json["total"]
    assert bounded == {"value": 10_000, "relation": "gte"}


@pytest.mark.parametrize("path", ["task_path", "project_path", "tasks_path"])
def test_sparse_answers_hold_exactly_the_fields_asked_for(scene, path):
    answer = scene.owner.get(getattr(scene, path), query_string={"fields": "key,id"}).json
    for item in answer.get("items", [answer]):
        assert item.keys() == {"id", "key"}


@given(key=st.lists(st.text(max_size=200) | st.integers(-(2**53), 2**53) | st.none(), max_size=3))
def test_cursors_are_those_of_the_release_before_and_can_be_read_by_it(app, key):
    """A list goes on while instances of two releases run side by side: that one used URLSafeSerializer."""
    with app.test_request_context("/api/v1/tasks?sort=title&limit=3"):
        salt = repr(("/api/v1/tasks", [("sort", "title")], ""))
        before = URLSafeSerializer(current().secret(), salt=salt)
        assert before.loads(make_cursor(key)) == key == read_cursor(before.dumps(key))
