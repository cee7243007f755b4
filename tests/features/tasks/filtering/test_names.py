"""Filters on what projects define: values are compared by the type of their field, and every name must exist."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings, strategies as st

from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory, task_row
from tests.features.tasks.filtering.in_python import COMPARISONS, among, compared, joined, missing, negated, quoted
from tests.problems import assert_problem
from tests.scene import Scene

NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)  # a Wednesday
TODAY = NOW.date()
TASKS = "/api/v1/tasks"
OPTIONS = ["low", "high", "on hold"]
TYPES = {"note": "text", "points": "number", "when": "date", "stage": "select", "who": "user", "ready": "checkbox"}


@pytest.fixture
def scene(app):
    with time_machine.travel(NOW, tick=False):
        scene = Scene(app)
        Task.objects.delete()
        for key, kind in TYPES.items():
            define(scene.owner, scene.project, key, kind)
        yield scene


def define(client, project, key, kind, **more):
    options = {"options": OPTIONS} if kind == "select" else {}
    body = {"key": key, "name": key, "type": kind} | options | more
    answer = client.post(f"/api/v1/projects/{project.id}/custom-fields", json=body)
    assert answer.status_code == 201, answer.text


def store(scene, *values, project=None):
    """Store a task for each of these custom fields; its title is its number. What is None is not stored."""
    kept = [{key: value for key, value in row.items() if value is not None} for row in values]
    project = project or scene.project
    rows = [
        task_row(project.id, title=f"{n}", reporter_id=scene.owner.user.id, custom_fields=row)
        for n, row in enumerate(kept)
    ]
    if rows:
        Task.objects.insert(rows, load_bulk=False)


def found(client, text, path=TASKS):
    answer = client.get(path, query_string={"filter": text, "limit": 200})
    assert answer.status_code == 200, f"{text}: {answer.text}"
    return [task["title"] for task in answer.json["items"]]


# A day of the calendar as filters write it, and as it is stored.
_days = st.integers(-3, 3).map(lambda days: (days, TODAY + timedelta(days)))
_written_days = st.one_of(
    _days.map(lambda day: (f"today{day[0]:+}d", day[1].isoformat())),
    _days.map(lambda day: (f"now{day[0]:+}d", day[1].isoformat())),
    _days.map(lambda day: (day[1].isoformat(), day[1].isoformat())),
)
_numbers = st.sampled_from([-7, 0, 2.5, 9, 10, 100])
_notes = st.sampled_from(["keep", "Keep", "a*b", "10", "caf\u00e9", "true", 'say "no"'])
_options = st.sampled_from(OPTIONS)
_rows = st.fixed_dictionaries(
    {
        "note": st.none() | _notes,
        "points": st.none() | _numbers,
        "when": st.none() | _days.map(lambda day: day[1].isoformat()),
        "stage": st.none() | _options,
        "ready": st.none() | st.booleans(),
    }
)
_WRITTEN = {
    "note": _notes.map(lambda text: (quoted(text), text)),
    "points": _numbers.map(lambda number: (str(number), number)),
    "when": _written_days,
    "stage": _options.map(lambda text: (quoted(text), text)),
    "ready": st.booleans().map(lambda yes: (str(yes).lower(), yes)),
}


def conditions_on(key):
    operators = st.sampled_from(list(COMPARISONS) if key in ("points", "when") else ["=", "!="])
    return st.one_of(
        st.builds(lambda op, pair: compared(key, op, *pair), operators, _WRITTEN[key]),
        st.builds(
            lambda yes, pairs: among(key, yes, pairs), st.booleans(), st.lists(_WRITTEN[key], min_size=1, max_size=3)
        ),
        st.builds(lambda yes: missing(key, yes), st.booleans()),
    )


_contains = st.builds(
    lambda word: (
        f"note ~ {quoted(word)}",
        lambda row: row["note"] is not None and word.lower() in row["note"].lower(),
    ),
    st.sampled_from(["KEEP", "*", "\u00c9", "1"]),
)
_filters = st.recursive(
    st.one_of(*map(conditions_on, _WRITTEN), _contains),
    lambda parts: st.one_of(
        parts.map(negated),
        st.builds(joined, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3)),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(_rows, max_size=10), question=_filters)
def test_custom_fields_of_each_type_are_compared_as_plain_python_does(scene, rows, question):
    text, holds = question
    for key in _WRITTEN:
        text = text.replace(f"{key} ", f"custom_fields.{key} ")
    Task.objects.delete()
    store(scene, *rows)
    wanted = sorted(str(number) for number, row in enumerate(rows) if holds(row))
    assert sorted(found(scene.owner, text)) == wanted
    assert sorted(found(scene.owner, text, scene.tasks_path)) == wanted


def test_days_are_compared_as_days(scene):
    for days in (-8, -1, 0, 1, 9):
        store(scene, {"when": (TODAY + timedelta(days)).isoformat()})
    store(scene, {})

    def days(text):
        answer = scene.owner.get(TASKS, query_string={"filter": text}).json
        return [
            (date.fromisoformat(task["custom_fields"]["when"]) - TODAY).days
            for task in answer["items"]
            if task["custom_fields"]
        ]

    assert days("custom_fields.when < today") == [-8, -1]
    assert days("custom_fields.when <= today") == [-8, -1, 0]
    assert days("custom_fields.when > now") == [1, 9]
    assert days("custom_fields.when = now/w") == [-1, 0, 1]
    assert days("custom_fields.when >= 2026-12-03") == [1, 9]
    assert days("not custom_fields.when < today") == [0, 1, 9]
    assert len(found(scene.owner, "not custom_fields.when < today")) == 4  # with the task that has no day


def test_a_day_is_that_of_the_zone_of_who_asks(scene):
    scene.owner.patch("/api/v1/users/me", json={"timezone": "Pacific/Auckland"}, headers={"If-Match": "*"})
    store(scene, {"when": "2026-12-02"}, {"when": "2026-12-03"})
    assert found(scene.owner, "custom_fields.when = today") == ["1"]


def test_people_and_options_are_named(scene):
    me, other = str(scene.owner.user.id), scene.member()
    store(scene, {"who": me, "stage": "on hold"}, {"who": str(other.user.id), "stage": "low"}, {})
    assert found(scene.owner, "custom_fields.who = me") == ["0"]
    assert found(other, "custom_fields.who = me") == ["1"]
    assert found(scene.owner, f"custom_fields.who in [me, {other.user.id}]") == ["0", "1"]
    assert found(scene.owner, "custom_fields.who != me") == ["1", "2"]
    assert found(scene.owner, 'custom_fields.stage = "On Hold"') == ["0"]


def test_an_option_that_is_offered_no_more_is_known_while_tasks_have_it(scene):
    store(scene, {"stage": "gone"}, {"stage": "low"})
    assert found(scene.owner, "custom_fields.stage = gone") == ["0"]
    Task.objects(title="0").delete()
    assert_problem(scene.owner.get(TASKS, query_string={"filter": "custom_fields.stage != gone"}), 422)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("custom_fields.when < soon", 22),
        ("custom_fields.when = 2026-12-01T09:00", 22),
        ("custom_fields.when > now-2h", 22),
        ("custom_fields.when ~ 2026", 20),
        ("custom_fields.points > many", 24),
        ("custom_fields.points = true", 24),
        ("custom_fields.points ~ 1", 22),
        ("custom_fields.stage = lwo", 23),
        ("custom_fields.stage != lwo", 24),
        ("custom_fields.stage in [low, lwo]", 30),
        ("custom_fields.stage < low", 21),
        ("custom_fields.ready = yes", 23),
        ("custom_fields.ready > false", 21),
        ("custom_fields.who = you", 21),
        (f"custom_fields.who != {'a' * 24}", 22),
        ("custom_fields.note < x", 20),
        ('custom_fields.note ~ ""', 22),
        ("custom_fields.Note = x", 1),
        ("custom_fields.note.x = x", 1),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_column(scene, text, column):
    for path in (TASKS, scene.tasks_path, f"{TASKS}/facets", f"{TASKS}/stats", f"{scene.project_path}/facets"):
        (error,) = assert_problem(scene.owner.get(path, query_string={"filter": text}), 422)["errors"]
        assert error["location"] == "query.filter"
        assert error["message"].startswith(f"Column {column}: "), error


def test_an_unknown_field_deletes_nothing(scene):
    store(scene, {"note": "keep"}, {"note": "x"})
    for mode in ("all_or_nothing", "each"):
        operation = {"op": "delete", "filter": "custom_fields.tpyo != keep", "project_id": str(scene.project.id)}
        answer = scene.owner.post(f"{TASKS}/bulk", json={"operations": [operation], "mode": mode})
        problem = answer.json if mode == "all_or_nothing" else answer.json["results"][0]["problem"]
        assert problem["errors"] == [
            {
                "location": "body.operations.0.filter",
                "message": "Column 1: 'custom_fields.tpyo' is no custom field that is known here.",
                "code": "filter.unknown_name",
            }
        ]
    assert Task.objects(deleted_at=None).count() == 2


def test_a_field_of_one_project_says_nothing_of_another(scene):
    """In the other project there is no such field: neither a condition on it nor its negation holds there."""
    store(scene, {"note": "keep"}, {"note": "x"}, {})
    other = ProjectFactory(owner=scene.owner.user)
    store(scene, {}, project=other)
    assert found(scene.owner, "custom_fields.note = keep") == ["0"]
    for text in ("custom_fields.note != keep", "not custom_fields.note = keep", "custom_fields.note not in [keep]"):
        assert found(scene.owner, text) == ["1", "2"]
    assert found(scene.owner, "custom_fields.note is null") == ["2"]
    query = {"filter": "custom_fields.note != keep"}
    assert_problem(scene.owner.get(f"/api/v1/projects/{other.id}/tasks", query_string=query), 422)
    delete = {"operations": [{"op": "delete", "filter": "custom_fields.note != keep"}]}
    assert scene.owner.post(f"{TASKS}/bulk", json=delete).status_code == 200
    assert Task.objects(project_id=other.id, deleted_at=None).count() == 1


def test_one_key_may_have_a_type_in_each_project(scene):
    other = ProjectFactory(owner=scene.owner.user)
    define(scene.owner, other, "points", "text")
    store(scene, {"points": 5}, {"points": 50})
    store(scene, {"points": "5"}, {"points": "many"}, project=other)
    assert len(found(scene.owner, "custom_fields.points = 5")) == 2
    assert found(scene.owner, "custom_fields.points > 9") == ["1"]
    assert found(scene.owner, "custom_fields.points = many") == ["1"]
    assert len(found(scene.owner, "custom_fields.points != 5")) == 2


def test_a_label_of_some_projects_leaves_no_task_of_others_unprotected(scene):
    other = ProjectFactory(owner=scene.owner.user)
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "keep"}).json["id"]
    TaskFactory(project=scene.project, title="kept", label_ids=[label])
    TaskFactory(project=other, title="elsewhere")
    assert found(scene.owner, "label != keep") == ["elsewhere"]
    for text in ("label != keep", "not (label = keep)", f"label not in [{label}]"):
        answer = scene.owner.post(f"{TASKS}/bulk", json={"operations": [{"op": "delete", "filter": text}]})
        assert assert_problem(answer, 422)["errors"][0]["location"] == "body.operations.0.filter"
    place = {"project_id": str(scene.project.id)}
    answer = scene.owner.post(f"{TASKS}/bulk", json={"operations": [{"op": "delete", "filter": text, **place}]})
    assert answer.json["results"] == []
    assert found(scene.owner, "label = keep") == ["kept"]


def test_several_labels_are_none_of_them(scene):
    made = [scene.owner.post(f"{scene.project_path}/labels", json={"name": name}).json["id"] for name in "abc"]
    for title, labels in {"ab": made[:2], "b": made[1:2], "c": made[2:], "none": []}.items():
        TaskFactory(project=scene.project, title=title, label_ids=labels)
    assert found(scene.owner, "label != a") == ["b", "c", "none"]
    assert found(scene.owner, "label not in [a, c]") == ["b", "none"]
    assert found(scene.owner, "not (label = a or label = c)") == ["b", "none"]
    assert found(scene.owner, "not label in [A]") == ["b", "c", "none"]


@pytest.mark.parametrize("text", ["caf\u00e9", "cafe\u0301", "CAF\u00c9"])
def test_the_unicode_form_of_a_text_makes_no_difference(scene, text):
    TaskFactory(project=scene.project, title="Un caf\u00e9")
    TaskFactory(project=scene.project, title="Un cafe\u0301!")
    assert len(found(scene.owner, f"title ~ {text}")) == 2
    if text != "CAF\u00c9":
        assert len(found(scene.owner, f'title in ["Un {text}", "Un {text}!"]')) == 2
        assert found(scene.owner, f'title not in ["Un {text}", "Un {text}!"]') == []


def test_a_former_member_is_known_while_tasks_name_them(scene):
    other = scene.member()
    task = {"title": "theirs"}
    assert other.post(scene.tasks_path, json=task).status_code == 201
    scene.owner.delete(f"{scene.members_path}/{other.user.id}", headers={"If-Match": "*"})
    assert found(scene.owner, f"reporter = {other.user.id}") == ["theirs"]


def test_an_order_by_an_unknown_field_is_refused(scene):
    for path in (TASKS, scene.tasks_path):
        problem = assert_problem(scene.owner.get(path, query_string={"sort": "custom_fields.tpyo"}), 422)
        assert problem["errors"][0]["location"] == "query.sort"


def test_projects_are_filtered_by_parents_that_exist(scene):
    query = {"filter": f"parent != {'a' * 24}"}
    problem = assert_problem(scene.owner.get("/api/v1/projects", query_string=query), 422)
    assert problem["errors"][0]["message"].startswith("Column 11: ")
    query = {"filter": f"parent != {scene.project.id} and key = {scene.project.key.lower()}"}
    assert len(scene.owner.get("/api/v1/projects", query_string=query).json["items"]) == 1
