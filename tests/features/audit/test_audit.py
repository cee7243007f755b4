"""The audit log: who did what, from where, when; for administrators, added to and never changed."""

from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.core.events import retention
from taskmanager.core.events.log import Event
from taskmanager.features.audit import service as audit
from taskmanager.testing.factories import UserFactory
from tests.problems import assert_problem
from tests.scene import patch

AUDIT = "/api/v1/audit"
OWN = "/api/v1/users/me/events"


@pytest.fixture
def admin(caller):
    return caller(role="admin")


def kinds(client, query="", path=AUDIT):
    return [row["kind"] for row in client.get(f"{path}?{query}").json["items"]]


def test_a_login_is_logged_with_who_where_when_and_the_request(client, admin):
    user = UserFactory()
    body = {"email": user.email, "password": "correct horse battery staple"}
    client.post("/api/v1/auth/login", json=body, headers={"X-Request-ID": "the-login"})
    (entry,) = admin.get(f"{AUDIT}?subject_id={user.id}&kind=session.started").json["items"]
    assert (entry["actor_id"], entry["address"], entry["request_id"]) == (str(user.id), "127.0.0.1", "the-login")
    assert admin.get(f"{AUDIT}/{entry['id']}").json == entry


def test_failures_are_logged_without_what_was_typed(client, admin):
    user = UserFactory()
    client.post("/api/v1/auth/login", json={"email": user.email, "password": "my secret words"})
    client.post("/api/v1/auth/login", json={"email": "hunter2@example.com", "password": "my secret words"})
    answer = admin.get(f"{AUDIT}?kind=login.failed")
    assert [row["subject_id"] for row in answer.json["items"]] == [str(user.id), None]
    assert "secret" not in answer.text
    assert "hunter2" not in answer.text


def test_what_an_administrator_does_names_them_and_the_person(admin):
    user = UserFactory()
    patch(admin, f"/api/v1/users/{user.id}", {"role": "admin"})
    patch(admin, f"/api/v1/users/{user.id}", {"disabled": True})
    rows = admin.get(f"{AUDIT}?actor_id={admin.user.id}&subject_id={user.id}").json["items"]
    assert [row["kind"] for row in rows] == ["user.role_changed", "user.disabled"]
    assert rows[0]["data"] == {"changes": {"role": ["user", "admin"]}}


def test_changes_of_rights_in_projects_are_logged(admin, scene):
    member = scene.member("viewer")
    patch(scene.owner, f"{scene.members_path}/{member.user.id}", {"role": "manager"})
    assert kinds(admin, f"actor_id={scene.owner.user.id}&kind=member.changed") == ["member.changed"]


def test_what_people_do_with_tasks_is_not_in_it(admin, scene):
    patch(scene.owner, scene.task_path, {"title": "Changed"})
    assert not [kind for kind in kinds(admin) if kind.startswith("task")]


def test_it_is_read_by_time(admin):
    middle = now()
    UserFactory()
    assert "user.registered" in kinds(admin, f"since={middle.isoformat()[:23]}Z".replace("+00:00", ""))
    assert kinds(admin, "since=2099-01-01T00:00:00Z") == []
    assert kinds(admin, "until=2001-01-01T00:00:00Z") == []


def test_it_is_paged_newest_first(admin):
    for _ in range(3):
        UserFactory()
    first = admin.get(f"{AUDIT}?sort=-created_at&limit=2").json
    second = admin.get(f"{AUDIT}?sort=-created_at&limit=2&cursor={first['next_cursor']}").json
    rows = first["items"] + second["items"]
    assert rows == sorted(rows, key=lambda row: row["at"], reverse=True)
    assert len({row["id"] for row in rows}) == 4


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_one_changes_it(admin, method):
    entry = admin.get(AUDIT).json["items"][0]["id"]
    for path in (AUDIT, f"{AUDIT}/{entry}"):
        assert_problem(admin.open(path, method=method, json={}, headers={"If-Match": "*"}), 405)


def test_an_account_reads_what_happened_to_itself_and_to_no_one_else(caller):
    person, other = caller(), caller()
    rows = person.get(OWN).json["items"]
    assert [row["kind"] for row in rows] == ["user.registered", "session.started"]
    assert {row["subject_id"] for row in rows} == {str(person.user.id)}
    assert str(other.user.id) not in person.get(OWN).text
    assert_problem(person.get(f"{OWN}?subject_id={other.user.id}"), 422)


def test_entries_end_after_the_days_of_the_settings_unless_a_listener_waits(app, settings):
    UserFactory()
    waiting = Event.objects(audited=True).first()
    old = now() - timedelta(days=settings.audit_days + 1)
    for kind, due in (("old.done", None), ("old.waiting", now())):
        row = waiting.to_mongo().to_dict() | {"_id": audit.ObjectId.from_datetime(old), "kind": kind, "at": old}
        row["seq"] = 1000 + len(kind)
        row.pop("due_at", None)
        row["_id"] = audit.ObjectId(row["_id"].binary[:4] + audit.ObjectId().binary[4:])
        Event._get_collection().insert_one(row | ({"due_at": due} if due else {}))
    assert retention.remove_old() == 1
    left = set(Event.objects(audited=True).scalar("kind"))
    assert left == {"user.registered", "old.waiting"}


def test_each_question_is_answered_from_an_index(app, admin):
    for where in ({}, {"kind": "x"}, {"actor_id": admin.user.id}, {"subject_id": admin.user.id}, {"since": now()}):
        since = where.get("since")
        values = {name: value for name, value in where.items() if name != "since"}
        plan = audit._described(values, since, None).query.order_by("at", "seq", "id").explain()
        stages = str(plan["queryPlanner"]["winningPlan"])
        assert "COLLSCAN" not in stages and "'SORT'" not in stages, (where, stages)
