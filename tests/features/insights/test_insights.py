"""Search, facets and statistics."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from taskmanager.features.insights.counts.repair import Recount
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory, task_row
from tests.problems import assert_problem
from tests.scene import Scene, patch

SEARCH, FACETS, STATS = "/api/v1/search", "/api/v1/tasks/facets", "/api/v1/tasks/stats"
ANY = {"If-Match": "*"}
NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)  # a Wednesday


def found(client, q, **query):
    answer = client.get(SEARCH, query_string={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return [(hit["task"]["title"], hit["matched"]) for hit in answer.json["items"]]


@pytest.fixture
def library(scene):
    for title, description in [
        ("Pay the rent", None),
        ("Rental agreement", "Ask about the <b>deposit</b> & the keys"),
        ("Call Łukasz", "Anna pays half of the rent"),
        ("rent", None),
    ]:
        TaskFactory(project=scene.project, title=title, description=description)
    return scene


def test_titles_are_found_by_the_beginnings_of_words_and_everything_by_words(library):
    assert found(library.owner, "rent") == [
        ("Pay the rent", "title"),
        ("rent", "title"),
        ("Rental agreement", "title"),
        ("Call Łukasz", "text"),
    ]
    assert found(library.owner, "REN pa") == [("Pay the rent", "title")]
    assert found(library.owner, "łuk") == [("Call Łukasz", "title")]
    assert found(library.owner, "deposit") == [("Rental agreement", "text")]
    assert ("Call Łukasz", "text") not in found(library.owner, "rent -pays")
    assert found(library.owner, '"half of the rent"') == [("Call Łukasz", "text")]
    assert found(library.owner, "nothing") == []
    assert len(found(library.owner, "rent", limit=2)) == 2


def test_tasks_are_found_by_key(library):
    key = library.task.key
    assert found(library.owner, key.lower())[0] == ("Write the notes", "key")
    assert len(found(library.owner, library.project.key)) == 5


def test_a_changed_title_is_found_by_its_new_words_only(library):
    patch(library.owner, library.task_path, {"title": "Publish minutes"})
    assert found(library.owner, "minu") == [("Publish minutes", "title")]
    assert found(library.owner, "notes") == []


def test_no_one_finds_what_they_may_not_see(library):
    elsewhere = ProjectFactory(owner=library.owner.user)
    TaskFactory(project=elsewhere, title="secret rent")
    viewer = library.member("viewer")
    assert "secret rent" not in [title for title, _ in found(viewer, "rent")]
    assert found(library.who("stranger"), "rent") == []
    assert_problem(viewer.get(SEARCH, query_string={"q": "rent", "project_id": str(elsewhere.id)}), 404)
    assert found(library.owner, "rent", project_id=str(elsewhere.id)) == [("secret rent", "title")]
    library.owner.delete(f"/api/v1/projects/{elsewhere.id}", headers=ANY)
    assert "secret rent" not in [title for title, _ in found(library.owner, "rent")]


def test_the_trash_is_not_searched(library):
    library.owner.delete(library.task_path, headers=ANY)
    assert found(library.owner, "notes") == []


def test_highlights_are_safe_html(library):
    TaskFactory(project=library.project, title='<script>rent()</script> "rent"')
    hits = library.owner.get(SEARCH, query_string={"q": "rent"}).json["items"]
    marked = {hit["task"]["title"]: hit["highlights"] for hit in hits}
    assert marked["Pay the rent"] == {"title": "Pay the <mark>rent</mark>", "description": None}
    assert marked["Call Łukasz"]["description"] == "Anna pays half of the <mark>rent</mark>"
    script = marked['<script>rent()</script> "rent"']["title"]
    assert script == "&lt;script&gt;<mark>rent</mark>()&lt;/script&gt; &quot;<mark>rent</mark>&quot;"
    deposit = library.owner.get(SEARCH, query_string={"q": "deposit"}).json["items"][0]["highlights"]
    assert deposit["description"] == "Ask about the &lt;b&gt;<mark>deposit</mark>&lt;/b&gt; &amp; the keys"


@pytest.mark.parametrize("q", ["(", "[a", "a*", "\\", '"', "-", "$where", "." * 200, "ﬁ", "'; drop", "-a"])
def test_any_text_can_be_searched_for(library, q):
    found(library.owner, q)


@pytest.mark.parametrize(
    "query", [{}, {"q": ""}, {"q": " "}, {"q": "x" * 201}, {"q": "x", "limit": 51}, {"q": "x", "p": 1}]
)
def test_a_search_for_nothing_is_refused(scene, query):
    assert_problem(scene.owner.get(SEARCH, query_string=query), 422)


def test_facets_count_what_the_filter_finds(scene):
    other, label = scene.member(), scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json["id"]
    TaskFactory(project=scene.project, priority=3, assignees=(other.user, scene.owner.user))
    TaskFactory(project=scene.project, priority=3, assignees=(other.user,), status="done")
    patch(scene.owner, scene.task_path, {"label_ids": [label]})
    everything = scene.owner.get(FACETS).json
    assert everything["status"] == [{"value": "open", "count": 2}, {"value": "done", "count": 1}]
    assert everything["priority"] == [{"value": "high", "count": 2}, {"value": "none", "count": 1}]
    assert everything["assignee"] == [
        {"value": str(other.user.id), "count": 2},
        {"value": None, "count": 1},
        {"value": str(scene.owner.user.id), "count": 1},
    ]
    assert everything["label"] == [{"value": None, "count": 2}, {"value": label, "count": 1}]
    assert everything["project"] == [{"value": str(scene.project.id), "count": 3}]
    mine = scene.owner.get(f"{scene.project_path}/facets", query_string={"filter": "assignee = me"}).json
    assert (mine["status"], mine["status_group"]) == (
        [{"value": "open", "count": 1}],
        [{"value": "backlog", "count": 1}],
    )
    assert scene.who("stranger").get(FACETS).json["status"] == []


@pytest.fixture
def history(app):
    """A scene in Auckland, where it is tomorrow already, with tasks of the last weeks."""
    with time_machine.travel(NOW, tick=False):
        scene = Scene(app)
        Task.objects.delete()
        patch(scene.owner, "/api/v1/users/me", {"timezone": "Pacific/Auckland"})
        scene.owner.get("/api/v1/users/me")
        day = timedelta(days=1)
        rows = [
            {"created_at": NOW - 20 * day},
            {"created_at": NOW - 20 * day, "completed_at": NOW - 10 * day, "started_at": NOW - 12 * day},
            {"created_at": NOW - 11 * day, "completed_at": NOW - 10 * day},
            {"created_at": NOW - 2 * day, "due_at": NOW - day, "assignee_ids": [scene.owner.user.id]},
            {"created_at": NOW - 2 * day, "due_at": NOW + day, "estimate_minutes": 90},
            {"created_at": NOW, "due_at": NOW - timedelta(minutes=1), "due_floating": True},
            {"created_at": NOW, "status": "cancelled", "closed_at": NOW},
        ]
        for row in rows:
            if "completed_at" in row:
                row |= {"status": "done", "closed_at": row["completed_at"]}
        Task.objects.insert([task_row(scene.project.id, **row) for row in rows], load_bulk=False)
        Recount.of_service().repair(scene.project.id)  # these tasks were written past the service
        yield scene


def test_statistics_tell_states_lateness_and_workload(history):
    figures = history.owner.get(STATS).json
    assert figures["total"] == 7
    assert figures["by_status"][0] == {"status": "open", "status_group": "backlog", "count": 4}
    assert {row["status"]: row["count"] for row in figures["by_status"]} == {"open": 4, "done": 2, "cancelled": 1}
    assert figures["overdue"] == 2
    unassigned, owner = figures["workload"]
    assert unassigned == {"user_id": None, "open": 3, "overdue": 1, "estimate_minutes": 90}
    assert owner == {"user_id": str(history.owner.user.id), "open": 1, "overdue": 1, "estimate_minutes": 0}
    assert history.owner.get(f"{history.project_path}/stats?filter=assignee = me").json["total"] == 1
    assert history.who("stranger").get(STATS).json["total"] == 0


def test_statistics_tell_throughput_and_cycle_time_of_each_week(history):
    weeks = history.owner.get(f"{STATS}?weeks=3").json["weeks"]
    assert [(week["week"], week["created"], week["completed"]) for week in weeks] == [
        ("2026-11-16", 1, 0),
        ("2026-11-23", 0, 2),
        ("2026-11-30", 4, 0),
    ]
    assert (weeks[1]["cycle_hours_median"], weeks[1]["cycle_hours_mean"]) == (36.0, 36.0)
    assert weeks[2]["cycle_hours_median"] is None


def test_the_burn_down_tells_what_was_open_at_the_end_of_each_day(history):
    days = history.owner.get(f"{history.project_path}/stats?days=14").json["burn_down"]
    assert (len(days), days[-1]["day"]) == (14, "2026-12-03")
    open_then = {day["day"]: day["open"] for day in days}
    assert [open_then[f"2026-{day}"] for day in ("11-21", "11-22", "11-23", "11-30", "12-01", "12-03")] == [
        2,
        3,
        1,
        1,
        3,
        4,
    ]


@pytest.mark.parametrize("query", ["weeks=0", "weeks=53", "days=366", "days=x", "filter=x", "limit=5"])
def test_figures_that_cannot_be_are_refused(scene, query):
    assert_problem(scene.owner.get(f"{STATS}?{query}"), 422)


def test_insights_have_a_budget_of_their_own(other_app):
    scene = Scene(other_app(ratelimit_enabled=True, ratelimit_expensive="3/minute"))
    answers = [scene.owner.get(path).status_code for path in (f"{SEARCH}?q=x", FACETS, STATS, STATS)]
    assert answers == [200, 200, 200, 429]
    assert scene.owner.get(scene.tasks_path).status_code == 200
    for figures in (f"{scene.project_path}/facets", f"{scene.project_path}/stats"):
        assert scene.owner.get(f"{figures}?filter=status = open").status_code == 429
        assert scene.owner.get(figures).status_code == 200  # from the counts of the project


def test_every_word_must_begin_a_word_of_the_title(library):
    assert found(library.owner, "pa the ren")[0] == ("Pay the rent", "title")
    assert [title for title, matched in found(library.owner, "ay rent") if matched == "title"] == []
    TaskFactory(project=library.project, title="Żółw i łoś")
    assert found(library.owner, "żółw ŁO")[0] == ("Żółw i łoś", "title")
