"""Quick add: what a line of text says of a task."""

from datetime import datetime

import pytest
from hypothesis import given, strategies as st

from taskmanager.core.zones import zone
from taskmanager.features.quick_add.grammar import parse
from taskmanager.testing.factories import ProjectFactory
from tests.features.test_matrix import token_client
from tests.problems import assert_problem
from tests.scene import patch

QUICK = "/api/v1/tasks/quick"
NOW = datetime(2026, 11, 24, 12, tzinfo=zone("Europe/Berlin"))  # a Tuesday


@pytest.mark.parametrize(
    ("text", "title", "due", "recurrence"),
    [
        ("Pay rent every month on the 1st", "Pay rent", "2026-12-01", "FREQ=MONTHLY;BYMONTHDAY=1"),
        ("Pay every 24th", "Pay", "2026-11-24", "FREQ=MONTHLY;BYMONTHDAY=24"),
        ("Back up every month on the last day", "Back up", "2026-11-30", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("Retro every last friday", "Retro", "2026-11-27", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("Stretch every day", "Stretch", "2026-11-24", "FREQ=DAILY"),
        ("Stretch daily at 9:00", "Stretch", "2026-11-25T09:00:00+01:00", "FREQ=DAILY"),
        ("Stretch daily at 13:00", "Stretch", "2026-11-24T13:00:00+01:00", "FREQ=DAILY"),
        ("Report every weekday", "Report", "2026-11-24", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("Stand-up every mon and thu", "Stand-up", "2026-11-26", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("Swim every Friday, Monday", "Swim", "2026-11-27", "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("Clean every other week", "Clean", "2026-11-24", "FREQ=WEEKLY;INTERVAL=2"),
        ("Water every! 3 days", "Water", "2026-11-24", "FREQ=DAILY;INTERVAL=3"),
        ("Gifts every december 24", "Gifts", "2026-12-24", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
        ("Tax yearly on 2027-05-31", "Tax", "2027-05-31", "FREQ=YEARLY"),
        ("Call today", "Call", "2026-11-24", None),
        ("Call tomorrow at 5pm", "Call", "2026-11-25T17:00:00+01:00", None),
        ("Call at 11:30", "Call", "2026-11-25T11:30:00+01:00", None),
        ("Call 12:30 pm", "Call", "2026-11-24T12:30:00+01:00", None),
        ("Call 12am", "Call", "2026-11-25T00:00:00+01:00", None),
        ("Call on sat at noon", "Call", "2026-11-28T12:00:00+01:00", None),
        ("Call tuesday", "Call", "2026-12-01", None),
        ("Call next week", "Call", "2026-11-30", None),
        ("Call in 3 days", "Call", "2026-11-27", None),
        ("Call in a week", "Call", "2026-12-01", None),
        ("Call in 3 months", "Call", "2027-02-24", None),
        ("Call next month", "Call", "2026-12-24", None),
        ("Call by 24.12.", "Call", "2026-12-24", None),
        ("Call 1.2.2028", "Call", "2028-02-01", None),
        ("Call Dec 24, 2027", "Call", "2027-12-24", None),
        ("Call 3rd march", "Call", "2027-03-03", None),
        ("Call feb 29", "Call", "2028-02-29", None),
        ("Call on 2027-03-28 at 9:00", "Call", "2027-03-28T09:00:00+02:00", None),
        # what is none of these stays in the title
        ("Call feb 30", "Call feb 30", None, None),
        ("Call 2026-13-01", "Call 2026-13-01", None, None),
        ("Call 9999-12-31", "Call 9999-12-31", None, None),
        ("Call 0001-01-01", "Call 0001-01-01", None, None),
        ("Call at 25:00", "Call at 25:00", None, None),
        ("Call 13pm", "Call 13pm", None, None),
        ("Buy sun cream", "Buy sun cream", None, None),
        ("every 32nd", "every 32nd", None, None),
        ('Watch "tomorrow never dies" today', 'Watch "tomorrow never dies"', "2026-11-24", None),
        ("Call today tomorrow", "Call tomorrow", "2026-11-24", None),
    ],
)
def test_days_times_and_repetitions(text, title, due, recurrence):
    said = parse(text, NOW)
    assert (said.title, said.due(NOW), said.recurrence) == (title, due, recurrence)


@pytest.mark.parametrize(
    ("text", "title", "parts"),
    [
        ("#Home a", "a", {"project": "Home"}),
        ('a #"My home" b', "a b", {"project": "My home"}),
        ("a @x @y", "a", {"labels": ["x", "y"]}),
        ('a @"needs review"', "a", {"labels": ["needs review"]}),
        ("a +me +ada@example.com", "a", {"people": ["me", "ada@example.com"]}),
        ("a !HIGH", "a", {"priority": "high"}),
        ("a p1 b", "a b", {"priority": "urgent"}),
        ("a ~2h", "a", {"estimate_minutes": 120}),
        ("a for 45 min", "a", {"estimate_minutes": 45}),
        ("a every! week", "a", {"from_completion": True}),
        ("mail x@y.z about a#b, 1 +1 and wow!", "mail x@y.z about a#b, 1 +1 and wow!", {}),
    ],
)
def test_projects_labels_people_and_more(text, title, parts):
    said = parse(text, NOW)
    found = {name: value for name, value in vars(said).items() if value and name not in ("title", "recurrence")}
    assert (said.title, found) == (title, parts)


@given(st.text(max_size=200))
def test_any_text_is_taken(text):
    said = parse(text, NOW)
    said.due(NOW)


@given(st.lists(st.sampled_from(["alpha", "beta", "tomorrow", "#home", "@x", "!low", "daily", '"', "at", "5pm"])))
def test_no_other_word_is_lost(words):
    said = parse(" ".join(words), NOW)
    for word in ("alpha", "beta"):
        assert said.title.split().count(word) == words.count(word)


def test_a_line_becomes_a_task(scene):
    patch(scene.owner, "/api/v1/users/me", {"timezone": "Europe/Berlin"})
    home = ProjectFactory(owner=scene.owner.user, name="Home")
    known = scene.owner.post(f"/api/v1/projects/{home.id}/labels", json={"name": "Money"}).json["id"]
    answer = scene.owner.post(QUICK, json={"text": "Pay rent every month on the 1st #home @money @new !high +me ~5m"})
    assert answer.status_code == 201, answer.text
    task, understood = answer.json["task"], answer.json["understood"]
    assert scene.owner.get(answer.headers["Location"]).json == task
    assert (task["title"], task["project_id"], task["priority"]) == ("Pay rent", str(home.id), "high")
    assert task["due"].endswith("-01")
    assert (task["recurrence"], task["assignee_ids"]) == ("FREQ=MONTHLY;BYMONTHDAY=1", [str(scene.owner.user.id)])
    assert (task["label_ids"][0], task["estimate_minutes"]) == (known, 5)
    labels = scene.owner.get(f"/api/v1/projects/{home.id}/labels").json["items"]
    assert [label["name"] for label in labels] == ["Money", "new"]
    assert understood["project"] == {"id": str(home.id), "key": home.key, "name": "Home"}
    assert (understood["labels"], understood["priority"], understood["due"]) == (["money", "new"], "high", task["due"])


def test_people_are_found_by_address_and_name(scene):
    ada = scene.member()
    for word in (ada.user.email, f'"{ada.user.name}"'):
        task = scene.owner.post(QUICK, json={"text": f"Ask +{word}"}).json["task"]
        assert task["assignee_ids"] == [str(ada.user.id)]
    # both are called "Person"
    problem = assert_problem(scene.owner.post(QUICK, json={"text": "Ask +person"}), 422)
    assert problem["errors"][0]["code"] == "quick.person_unknown"


def test_a_line_goes_where_one_may_make_tasks(scene):
    second = ProjectFactory(owner=scene.owner.user)
    here = {"text": "x", "project_id": str(second.id)}
    assert scene.owner.post(QUICK, json=here).json["task"]["project_id"] == str(second.id)
    assert scene.owner.post(QUICK, json={"text": "x"}).json["task"]["project_id"] == str(scene.project.id)
    assert scene.owner.post(QUICK, json={"text": f"x #{second.key}"}).json["task"]["project_id"] == str(second.id)
    viewer = scene.member("viewer")
    for body in (
        {"text": "x"},
        {"text": f"x #{scene.project.key}"},
        {"text": "x", "project_id": str(scene.project.id)},
    ):
        problem = assert_problem(viewer.post(QUICK, json=body), 422)
        assert problem["errors"][0]["code"] == "quick.project_unknown"


def test_a_token_makes_labels_only_with_the_scope_for_it(scene):
    client = token_client(scene, ["tasks:write"])
    problem = assert_problem(client.post(QUICK, json={"text": "x @new"}), 422)
    assert problem["errors"][0]["code"] == "quick.label_unknown"
    assert client.post(QUICK, json={"text": "x"}).status_code == 201


MANY = "x " + " ".join(f"@{number}" for number in range(51))


@pytest.mark.parametrize(
    "text", ["", " ", "today", "#home @x", "a\nb", "x" * 1001, "x" * 501, MANY, "x every february 30", "x +unknown"]
)
def test_a_line_that_makes_no_task_is_refused(scene, text):
    ProjectFactory(owner=scene.owner.user, name="Home")
    assert_problem(scene.owner.post(QUICK, json={"text": text}), 422)
