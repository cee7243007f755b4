"""Deleted projects: their owners list and restore them; to all others, and to whatever tells of them, they are gone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine

from taskmanager.core.clock import now
from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.projects.trash import service as trash
from taskmanager.features.tasks import listeners
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.placement import rekeying
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory
from tests.features.files import attach
from tests.problems import assert_problem

V1 = "/api/v1"
PROJECTS = f"{V1}/projects"
ANY = {"If-Match": "*"}


@pytest.fixture
def purge_path(scene):
    return f"{V1}/trash/projects/{scene.project.id}"


def delete(scene, path=None):
    assert scene.owner.delete(path or scene.project_path, headers=ANY).status_code == 204


def restore(client, scene, **body):
    return client.post(f"{scene.project_path}/restore", **({"json": body} if body else {}))


def deleted(client, **query):
    return [row["id"] for row in client.get(PROJECTS, query_string={"deleted": "true"} | query).json["items"]]


def kinds(item_id):
    return list(Event.objects(subject_id=item_id).order_by("seq").scalar("kind"))


def test_a_deleted_project_is_listed_for_its_owners_and_nowhere_else(scene):
    people = {role: scene.member(role) for role in ("manager", "member", "viewer")} | {
        "stranger": scene.who("stranger")
    }
    co_owner = scene.member("owner")
    delete(scene)
    for owner in (scene.owner, co_owner):
        assert deleted(owner) == [str(scene.project.id)]
        shown = owner.get(scene.project_path, query_string={"deleted": "true"})
        assert (shown.status_code, shown.headers["ETag"]) == (200, '"2"')
        assert shown.json["deleted_at"]
        assert owner.get(PROJECTS).json["items"] == []
        assert_problem(owner.get(scene.project_path), 404)
    for user in people.values():
        assert deleted(user) == []
        assert_problem(user.get(scene.project_path, query_string={"deleted": "true"}), 404)
        assert_problem(restore(user, scene), 404)


def test_what_is_not_deleted_is_not_among_the_deleted(scene):
    assert deleted(scene.owner) == []
    assert scene.owner.get(scene.project_path).json["deleted_at"] is None
    assert_problem(scene.owner.get(scene.project_path, query_string={"deleted": "true"}), 404)


def test_the_list_of_the_deleted_is_filtered_sorted_and_counted(scene):
    others = [ProjectFactory(owner=scene.owner.user) for _ in range(3)]
    for project in (*others, scene.project):
        delete(scene, f"{PROJECTS}/{project.id}")
    ids = [str(project.id) for project in (*others, scene.project)]
    assert deleted(scene.owner, sort="-deleted_at") == ids[::-1]
    assert deleted(scene.owner, filter=f'key = "{others[1].key}"') == [ids[1]]
    page = scene.owner.get(PROJECTS, query_string={"deleted": "true", "limit": 2, "with_total": "true"}).json
    assert (len(page["items"]), page["total"], bool(page["next_cursor"])) == (2, 4, True)


def test_a_token_for_one_project_sees_no_deleted_ones(scene):
    data = {"name": "T", "scopes": ["projects:read", "projects:write"], "project_id": str(scene.project.id)}
    data["expires_at"] = f"{now() + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    token = scene.owner.post(f"{V1}/users/me/tokens", json=data).json["token"]
    program = scene.app.test_client()
    program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    delete(scene)
    assert deleted(program) == []
    assert_problem(restore(program, scene), 404)
    assert restore(scene.owner, scene).status_code == 200
    assert program.get(scene.project_path).status_code == 200


def test_a_restored_project_is_as_it_was(scene):
    member = scene.member("member")
    link = scene.owner.post(f"{scene.project_path}/share-links", json={"role": "viewer"}).json
    hook = scene.owner.post(f"{scene.project_path}/webhooks", json={"url": "https://8.8.8.8/", "events": ["*"]}).json
    paths = [scene.task_path, f"{scene.project_path}/webhooks/", f"{scene.project_path}/share-links/{link['id']}"]
    paths[1] = f"{V1}/webhooks/{hook['id']}"
    before = {path: scene.owner.get(path).json for path in paths}
    project = scene.owner.get(scene.project_path).json
    delete(scene)
    for path in paths:
        assert_problem(scene.owner.get(path), 404)
    answer = restore(scene.owner, scene)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"3"')
    changed = {"revision", "updated_at"}
    assert {k: v for k, v in answer.json.items() if k not in changed} == {
        k: v for k, v in project.items() if k not in changed
    }
    assert {path: scene.owner.get(path).json for path in paths} == before
    assert member.get(scene.task_path).status_code == 200
    assert kinds(scene.project.id)[-2:] == ["project.deleted", "project.restored"]
    assert deleted(scene.owner) == []


def test_restoring_what_is_not_deleted_changes_nothing(scene):
    answer = restore(scene.owner, scene, key="OTHER")
    assert (answer.status_code, answer.json["revision"], answer.json["key"]) == (200, 1, scene.project.key)
    assert_problem(restore(scene.member("manager"), scene), 403)
    assert kinds(scene.project.id) == ["project.created"]


def test_many_who_restore_at_once_restore_once(scene):
    delete(scene)
    bearer = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
    with ThreadPoolExecutor(8) as pool:
        posts = [
            pool.submit(scene.app.test_client().post, f"{scene.project_path}/restore", headers=bearer) for _ in range(8)
        ]
    assert {post.result().status_code for post in posts} <= {200, 412}
    assert kinds(scene.project.id).count("project.restored") == 1


def test_the_key_of_a_deleted_project_is_free(scene):
    key, task = scene.project.key, scene.task
    assert_problem(scene.owner.post(PROJECTS, json={"key": key, "name": "Too early"}), 409, "project.key_taken")
    delete(scene)
    made = scene.owner.post(PROJECTS, json={"key": key, "name": "The next"})
    assert made.status_code == 201
    by_key = f"{V1}/tasks/by-key/{task.key}"
    assert_problem(scene.owner.get(by_key), 404)
    new = scene.owner.post(f"{PROJECTS}/{made.json['id']}/tasks", json={"title": "New"}).json
    assert (new["key"], scene.owner.get(by_key).json["id"]) == (task.key, new["id"])
    copied = scene.owner.post(f"{PROJECTS}/{made.json['id']}/copy", json={"key": key, "name": "Too late"})
    assert_problem(copied, 409, "project.key_taken")


def test_a_project_whose_key_was_taken_is_restored_with_another(scene):
    key, trashed = scene.project.key, TaskFactory(project=scene.project, title="Trashed")
    delete(scene, f"{V1}/tasks/{trashed.id}")
    delete(scene)
    new = ProjectFactory(owner=scene.owner.user, key=key)
    new_task = TaskFactory(project=new, title="New")
    assert new_task.key == scene.task.key
    refused = assert_problem(restore(scene.owner, scene), 409, "project.key_taken")
    assert key in refused["detail"]
    assert deleted(scene.owner) == [str(scene.project.id)]
    assert_problem(restore(scene.owner, scene, key="no key"), 422)
    assert_problem(restore(scene.owner, scene, key=key), 409, "project.key_taken")
    answer = restore(scene.owner, scene, key="AGAIN")
    assert (answer.status_code, answer.json["key"]) == (200, "AGAIN")
    follow(scene)
    assert scene.owner.get(scene.task_path).json["key"] == "AGAIN-1"
    assert Task.objects(id=trashed.id).first().key == "AGAIN-2"
    found = {name: scene.owner.get(f"{V1}/tasks/by-key/{name}").json["id"] for name in ("AGAIN-1", scene.task.key)}
    assert found == {"AGAIN-1": str(scene.task.id), scene.task.key: str(new_task.id)}
    assert scene.owner.post(scene.tasks_path, json={"title": "Next"}).json["key"] == "AGAIN-3"


def follow(scene):
    for event in Event.objects(subject_id=scene.project.id, kind="project.restored"):
        listeners.follow_key_of_project(event)
        listeners.follow_key_of_project(event)


def test_before_its_tasks_have_followed_a_key_names_the_task_of_the_project_that_has_it(scene):
    delete(scene)
    new_task = TaskFactory(project=ProjectFactory(owner=scene.owner.user, key=scene.project.key))
    restore(scene.owner, scene, key="AGAIN")
    assert scene.owner.get(f"{V1}/tasks/by-key/{scene.task.key}").json["id"] == str(new_task.id)


def test_keys_follow_from_the_key_that_the_project_has_by_then(scene):
    first = scene.project.key
    delete(scene)
    restore(scene.owner, scene, key="SECOND")
    delete(scene)
    restore(scene.owner, scene, key="THIRD")
    rekeying.replace_keys(scene.project.id, "SECOND")
    rekeying.replace_keys(scene.project.id, first)
    assert Task.objects(id=scene.task.id).first().key == "THIRD-1"


@pytest.mark.parametrize("quota", ["projects", "memberships"])
def test_an_owner_without_room_restores_nothing(scene, other_app, quota):
    delete(scene)
    ProjectFactory(owner=scene.owner.user)
    other_app(**{f"quota_{quota}": 1})
    assert_problem(restore(scene.owner, scene), 409, f"quota.{quota}")
    assert deleted(scene.owner) == [str(scene.project.id)]
    other_app(**{f"quota_{quota}": 2})
    assert restore(scene.owner, scene).status_code == 200


def test_a_member_without_room_keeps_no_project_in_the_trash(scene, other_app):
    """Else what others fill their quota with would let a project be purged that its owner wants back."""
    member, co_owner = scene.member("member"), scene.member("owner")
    delete(scene)
    for person in (member, co_owner):
        for _ in range(2):
            MembershipFactory(user=person.user, role="owner")
    other_app(quota_memberships=2, quota_projects=2)
    assert restore(scene.owner, scene).status_code == 200
    assert scene.project.id in {row.project_id for row in Membership.objects(user_id=member.user.id)}


def test_a_restored_project_stands_where_it_stood_if_that_is_there(scene):
    above = ProjectFactory(owner=scene.owner.user)
    put = {"parent_id": str(above.id)}
    assert scene.owner.patch(scene.project_path, json=put, headers=ANY).status_code == 200
    delete(scene)
    assert restore(scene.owner, scene).json["parent_id"] == str(above.id)
    delete(scene)
    delete(scene, f"{PROJECTS}/{above.id}")
    assert restore(scene.owner, scene).json["parent_id"] is None


def test_while_it_is_deleted_reminders_do_not_fire_and_do_not_afterwards(scene):
    soon = f"{now() + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    later = f"{now() + timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}"
    for at in (soon, later):
        assert scene.owner.post(f"{scene.task_path}/reminders", json={"at": at}).status_code == 201
    delete(scene)
    with time_machine.travel(now() + timedelta(hours=2)):
        reminders.fire_due()
    restore(scene.owner, scene)
    with time_machine.travel(now() + timedelta(hours=2)):
        assert reminders.fire_due() == 0
    with time_machine.travel(now() + timedelta(hours=4)):
        assert reminders.fire_due() == 1


def test_links_and_invitations_of_a_deleted_project_open_nothing(scene):
    guest = sign_in(scene.app, UserFactory(email="guest@example.com"))
    invitation = {"email": "guest@example.com", "role": "viewer"}
    invitation = scene.owner.post(f"{scene.project_path}/invitations", json=invitation).json["id"]
    token = scene.owner.post(f"{scene.project_path}/share-links", json={"role": "viewer"}).json["token"]
    visitor = scene.app.test_client()
    visitor.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    delete(scene)
    assert guest.get(f"{V1}/invitations").json["items"] == []
    assert_problem(guest.post(f"{V1}/invitations/{invitation}/accept"), 404)
    assert_problem(visitor.get(scene.task_path), 401)
    restore(scene.owner, scene)
    assert visitor.get(scene.task_path).status_code == 200
    assert guest.post(f"{V1}/invitations/{invitation}/accept").status_code == 200
    delete(scene)
    assert_problem(guest.get(scene.task_path), 404)


def test_its_tasks_are_in_no_list_search_or_filter(scene):
    attachment = attach(scene.owner, scene.task_path).json["id"]
    lists = ["tasks", "tasks?filter=status = open", "search?q=notes", f"search?q={scene.task.key}", "trash"]
    assert [len(scene.owner.get(f"{V1}/{path}").json["items"]) for path in lists] == [1, 1, 1, 1, 0]
    delete(scene)
    assert [len(scene.owner.get(f"{V1}/{path}").json["items"]) for path in lists] == [0] * 5
    assert scene.owner.get(f"{V1}/tasks/stats").json["total"] == 0
    for path in ("", "/comments", "/activity", f"/attachments/{attachment}/content"):
        assert_problem(scene.owner.get(scene.task_path + path), 404)
    bulk = {"operations": [{"op": "complete", "task_id": str(scene.task.id)}]}
    assert_problem(scene.owner.post(f"{V1}/tasks/bulk", json=bulk), 404)


def test_a_purge_needs_the_present_revision_and_what_is_deleted(scene, purge_path):
    assert_problem(scene.owner.delete(purge_path, headers=ANY), 404)
    delete(scene)
    assert_problem(scene.owner.delete(purge_path), 428)
    assert_problem(scene.owner.delete(purge_path, headers={"If-Match": '"1"'}), 412)
    assert_problem(scene.member("manager").delete(purge_path, headers=ANY), 404)
    assert scene.owner.delete(purge_path, headers={"If-Match": '"2"'}).status_code == 204


def test_what_is_being_purged_is_gone_at_once_and_the_audit_log_says_so(scene, purge_path):
    delete(scene)
    assert scene.owner.delete(purge_path, headers=ANY).status_code == 204
    assert deleted(scene.owner) == []
    assert_problem(restore(scene.owner, scene), 404)
    assert_problem(scene.owner.delete(purge_path, headers=ANY), 404)
    admin = sign_in(scene.app, UserFactory(role="admin"))
    entry = admin.get(f"{V1}/audit", query_string={"kind": "project.purged"}).json["items"][0]
    assert (entry["subject_id"], entry["actor_id"]) == (str(scene.project.id), str(scene.owner.user.id))
    assert entry["data"] == {"key": scene.project.key}


def test_after_its_days_the_purge_of_a_project_begins(scene):
    recent = ProjectFactory(owner=scene.owner.user)
    for project, days in ((scene.project, 30), (recent, 29)):
        delete(scene, f"{PROJECTS}/{project.id}")
        Project.objects(id=project.id).update(set__deleted_at=now() - timedelta(days=days, minutes=1))
    assert trash.begin_old() == 1
    assert deleted(scene.owner) == [str(recent.id)]
    event = Event.objects(kind="project.purged").first()
    assert (event.subject_id, event.actor_id, event.audited) == (scene.project.id, None, True)


def test_an_account_that_goes_takes_a_project_along_that_no_one_else_could_restore(scene):
    shared = ProjectFactory(owner=scene.owner.user)
    MembershipFactory(project=shared, user=UserFactory(), role="owner")
    alone = ProjectFactory(owner=scene.owner.user)
    MembershipFactory(project=alone, user=UserFactory(), role="manager")
    for project in (scene.project, shared, alone):
        delete(scene, f"{PROJECTS}/{project.id}")
    assert scene.owner.delete(f"{V1}/users/me", headers=ANY).status_code == 204
    purged = set(Project.objects(purged_at__exists=True).scalar("id"))
    assert purged == {scene.project.id, alone.id}
    assert Membership.objects(user_id=scene.owner.user.id).count() == 0
