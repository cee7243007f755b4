"""The end of an account: nothing tells who it was, nothing acts for it, and others keep what they need."""

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import time_machine

from taskmanager.core.events.log import Event
from taskmanager.features.notifications.models import Inbox, Phone, Preferences, ProjectPreferences
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users.models import ApiToken, Identity, SecondFactor, Session, User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, TaskFactory, UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.moments import from_now
from tests.problems import assert_problem
from tests.scene import patch

ME = "/api/v1/users/me"
ANY = {"If-Match": "*"}


def leave(client):
    return client.delete(ME, headers=ANY)


def test_the_person_is_gone_and_may_come_again(client, caller):
    person = caller(email="ada@example.com", name="Ada Lovelace")
    assert leave(person).status_code == 204
    assert person.get(ME).status_code == 401
    assert client.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD}).status_code == 401
    stored = str(User._get_collection().find_one()) + str(list(Event._get_collection().find()))
    assert not [word for word in ("ada@", "Lovelace") if word in stored]
    assert UserFactory(email="ada@example.com").id != person.user.id


def test_api_tokens_end_too(app, caller):
    person = caller()
    body = {"name": "T", "scopes": ["profile:read"], "expires_at": from_now(days=30)}
    token = person.post(f"{ME}/tokens", json=body).json["token"]
    leave(person)
    assert app.test_client().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert (ApiToken.objects.count(), Session.objects.count()) == (0, 0)


def test_what_they_made_stays_and_names_a_deleted_user(scene, deliver):
    member = scene.member()
    made = member.post(scene.tasks_path, json={"title": "Stays", "assignee_ids": [str(member.user.id)]}).json
    leave(member)
    deliver()
    task = scene.owner.get(f"/api/v1/tasks/{made['id']}").json
    assert (task["title"], task["reporter_id"], task["assignee_ids"]) == ("Stays", str(member.user.id), [])
    assert str(member.user.id) not in scene.owner.get(scene.members_path).text


def test_what_was_theirs_alone_goes_with_them(scene, deliver):
    member = scene.member()
    member.put(f"{scene.task_path}/watchers/{member.user.id}", headers=ANY)
    member.post(f"{scene.task_path}/reminders", json={"at": from_now(days=30)})
    for shared in (False, True):
        member.post(f"{scene.project_path}/views", json={"name": "V", "shared": shared})
    leave(member)
    deliver()
    assert scene.owner.get(scene.task_path).json["watcher_ids"] == []
    assert Reminder.objects.count() == 0
    assert [view["shared"] for view in scene.owner.get(f"{scene.project_path}/views").json["items"]] == [True]


OF_ACCOUNTS = (ApiToken, SecondFactor, Identity, Inbox, Preferences, ProjectPreferences, Phone)


@pytest.mark.parametrize("model", OF_ACCOUNTS, ids=lambda model: model.__name__)
def test_what_is_kept_for_an_account_alone_goes_with_it(scene, deliver, model):
    """Whatever else is in it: rows as a release before may have left them."""
    member, other, collection = scene.member(), UserFactory(), model._get_collection()
    collection.delete_many({})
    for owner in (member.user.id, other.id):
        unique = {"subject": str(owner), "issuer": "x", "digest": str(owner), "project_id": scene.project.id}
        collection.insert_one({"user_id": owner, "revision": 1, **unique})
    assert leave(member).status_code == 204
    deliver()
    assert [row["user_id"] for row in collection.find()] == [other.id]


def test_a_project_of_their_alone_goes_to_the_trash(caller):
    person = caller()
    project = ProjectFactory(owner=person.user)
    assert leave(person).status_code == 204
    assert Project.objects.one(project.id).deleted_at is not None


def test_the_last_owner_of_what_others_use_hands_it_over_first(scene):
    heir = scene.member()
    problem = assert_problem(leave(scene.owner), 409, code="user.last_owner")
    assert problem["projects"] == [str(scene.project.id)]
    assert scene.owner.get(scene.project_path).status_code == 200
    patch(scene.owner, f"{scene.members_path}/{heir.user.id}", {"role": "owner"})
    assert leave(scene.owner).status_code == 204
    assert heir.get(scene.project_path).status_code == 200


def test_two_owners_who_leave_at_once_do_not_both_succeed(app, scene):
    other = scene.member("owner")
    scene.member()
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(leave, (scene.owner, other)))
    assert statuses in ([204, 409], [204, 412])
    assert Membership.objects(project_id=scene.project.id, role="owner").count() == 1


def test_the_last_administrator_stays(caller):
    assert_problem(leave(caller(role="admin")), 409, code="user.last_admin")


def test_it_needs_a_fresh_login(app):
    user = UserFactory()
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        person = sign_in(app, user)
        clock.shift(601)
        assert_problem(leave(person), 403, code="auth.fresh_login_needed")
        assert leave(sign_in(app, user)).status_code == 204


def test_it_needs_if_match(caller):
    person = caller()
    assert_problem(person.delete(ME), 428)
    assert_problem(person.delete(ME, headers={"If-Match": '"7"'}), 412)


def test_twice_at_once_is_once(app):
    user = UserFactory()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(leave, [sign_in(app, user) for _ in range(2)]))
    assert sorted(answer.status_code for answer in answers) in ([204, 401], [204, 404], [204, 412], [204, 403])


# --- the export -----------------------------------------------------------------------------------------------


def test_an_export_holds_what_is_the_persons_and_nothing_of_others(scene):
    member = scene.member()
    mine = member.post(scene.tasks_path, json={"title": "Mine"}).json["id"]
    assigned = TaskFactory(project=scene.project, assignees=(member.user,))
    for client in (member, scene.owner):
        client.post(f"{scene.task_path}/comments", json={"text": f"By {client.user.id}"})
    member.post(f"{scene.task_path}/reminders", json={"at": from_now(days=30)})
    member.post("/api/v1/views", json={"name": "My view"})
    answer = member.get(f"{ME}/export")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert body["account"]["email"] == member.user.email
    assert {task["id"] for task in body["tasks"]} == {mine, str(assigned.id)}
    assert body["memberships"][0]["project_name"] == scene.project.name
    assert [comment["text"] for comment in body["comments"]] == [f"By {member.user.id}"]
    assert (len(body["reminders"]), body["views"][0]["name"]) == (1, "My view")
    assert [row["current"] for row in body["sessions"]] == [True]
    assert "session.started" in [row["kind"] for row in body["events"]]
    assert scene.owner.user.email not in answer.text


def test_an_export_holds_how_a_person_is_told_things(scene, deliver):
    member = scene.member()
    deliver()
    policies = patch(member, "/api/v1/notifications/preferences", {"digest": "daily"}).json
    patch(member, f"{scene.project_path}/notifications", {"muted": True})
    Phone(user_id=member.user.id, number="+491701234567").save()
    hook = member.post("/api/v1/webhooks", json={"url": "https://8.8.8.8/", "events": ["*"]}).json
    text = member.get(f"{ME}/export").text
    body = orjson.loads(text)
    assert [item["kind"] for item in body["notifications"]] == ["project.added"]
    assert body["preferences"] == [policies]
    assert [(row["project_id"], row["muted"]) for row in body["project_preferences"]] == [(str(scene.project.id), True)]
    assert [row["number"] for row in body["phones"]] == ["+491701234567"]
    assert [row["id"] for row in body["webhooks"]] == [hook["id"]]
    assert hook["secret"] not in text


def test_an_export_holds_no_secret(caller):
    person = caller()
    person.post(f"{ME}/tokens", json={"name": "T", "scopes": ["tasks:read"], "expires_at": from_now(days=30)})
    text = person.get(f"{ME}/export").text
    user, session, token = (kind.objects.first() for kind in (User, Session, ApiToken))
    secrets = (user.password_hash, session.seed, session.token_hash, token.token_hash)
    assert not [secret for secret in secrets if secret in text]


def test_an_export_goes_through_many_pages(caller):
    person = caller()
    project = ProjectFactory(owner=person.user)
    for _ in range(205):
        TaskFactory(project=project)
    assert len(person.get(f"{ME}/export").json["tasks"]) == 205


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_one_else_gets_there(client, method):
    path = f"{ME}/export" if method == "GET" else ME
    assert client.open(path, method=method, headers=ANY).status_code == 401
