"""What requests cost, counted and not timed: round trips, and index keys that are looked at."""

import pytest
from bson import ObjectId
from marshmallow import Schema

from taskmanager.core.storage import database
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory, task_row
from taskmanager.testing.factories.things import PASSWORD
from tests.scene import Scene, patch
from tests.web.counting import commands, store_trips
from tests.web.profiling import examined
from tests.web.test_pagination import SORTS, fill, pages


@pytest.fixture
def warm(other_app):
    """A scene with everything switched on, whose caller has been here before."""
    app = other_app(ratelimit_enabled=True)
    scene = Scene(app)
    for path in (scene.task_path, scene.tasks_path, "/api/v1/tasks", scene.project_path):
        for _ in range(2):
            assert scene.owner.get(path).status_code == 200
    return scene


def cost(client, method, path, **options):
    """The status, the MongoDB commands and the store round trips of one request."""
    with commands.counting() as seen, store_trips() as trips:
        answer = client.open(path, method=method, **options)
    return answer.status_code, [event.command_name for event in seen], len(trips)


READS = ["task_path", "tasks_path", "project_path", "/api/v1/tasks", "/api/v1/projects", "/api/v1/users/me"]


def test_a_warm_read_and_a_304_are_one_command_and_one_store_trip_each(warm):
    for name in READS:
        path = getattr(warm, name, name)
        warm.owner.get(path)
        assert cost(warm.owner, "GET", path) == (200, ["find"], 1), name
        known = {"If-None-Match": warm.owner.get(path).headers["ETag"]}
        assert warm.owner.get(path, headers=known).status_code == 304  # from now on a list needs its generation only
        assert cost(warm.owner, "GET", path, headers=known) == (304, ["find"], 1), name


def test_no_schema_is_made_for_a_request(warm, monkeypatch):
    made, original = [], Schema.__init__
    monkeypatch.setattr(Schema, "__init__", lambda self, **options: made.append(original(self, **options)))
    for path in (warm.task_path, warm.tasks_path):
        assert warm.owner.get(path).status_code == 200
        assert not made, path


def test_a_deep_page_costs_what_the_first_costs(warm):
    fill(warm, [(None, 0, 0)] * 30)
    cursor = None
    for _ in range(4):
        query = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        cursor = warm.owner.get(warm.tasks_path, query_string=query).json["next_cursor"]
    query = {"limit": 5, "cursor": cursor}
    assert cost(warm.owner, "GET", warm.tasks_path, query_string=query) == (200, ["find"], 1)


def test_a_list_of_members_takes_one_more_for_their_names(warm):
    warm.owner.get(warm.members_path)
    status, names, trips = cost(warm.owner, "GET", warm.members_path)
    assert (status, set(names)) == (200, {"find"})
    assert len(names) <= 2
    assert trips <= 2


def test_all_limits_of_a_route_are_counted_in_one_trip(warm):
    credentials = {"email": UserFactory().email, "password": PASSWORD}
    for _ in range(2):
        status, _, trips = cost(warm.app.test_client(), "POST", "/api/v1/auth/login", json=credentials)
    # the limit of all requests, then those of the address and of the account
    assert (status, trips) == (200, 2)


def test_a_session_that_a_process_does_not_know_is_used_at_once(warm):
    credentials = {"email": UserFactory().email, "password": PASSWORD}
    for number in (1, 2, 3):  # from the second on, the process has rights of the account that lack the new session
        token = warm.app.test_client().post("/api/v1/auth/login", json=credentials).json["access_token"]
        mine = {"Authorization": f"Bearer {token}"}
        found = warm.app.test_client().get("/api/v1/users/me/sessions", headers=mine)
        assert (found.status_code, len(found.json["items"])) == (200, number)
        assert cost(warm.app.test_client(), "GET", "/api/v1/users/me/sessions", headers=mine)[1:] == (["find"], 1)


def test_without_a_login_the_database_is_not_asked(warm):
    assert cost(warm.app.test_client(), "GET", warm.task_path) == (401, [], 1)


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/tasks/x"])
def test_an_unknown_address_does_not_ask_the_database(warm, path):
    assert cost(warm.owner, "GET", path)[:2] == (404, [])


# A change is its own transaction and nothing else: the guarded write, the number of its event, the event.
PATCH_COMMANDS = ["find", "findAndModify", "findAndModify", "insert", "commitTransaction"]
# A new task is also counted, for statistics.
POST_COMMANDS = ["findAndModify", "insert", "update", "findAndModify", "insert", "commitTransaction"]


def test_a_patch_is_its_transaction_and_no_more(warm):
    options = {"json": {"title": "b"}, "headers": {"If-Match": '"1"'}}
    assert cost(warm.owner, "PATCH", warm.task_path, **options) == (200, PATCH_COMMANDS, 1)


def test_a_post_is_its_transaction_and_no_more(warm):
    assert cost(warm.owner, "POST", warm.tasks_path, json={"title": "b"}) == (201, POST_COMMANDS, 1)


def test_an_idempotency_key_costs_its_own_three_commands(warm):
    options = {"json": {"title": "b"}, "headers": {"Idempotency-Key": "k"}}
    status, names, trips = cost(warm.owner, "POST", warm.tasks_path, **options)
    assert (status, trips) == (201, 1)
    assert sorted(names) == sorted([*POST_COMMANDS, "find", "delete", "insert", "update"])


def test_a_refused_change_writes_nothing(warm):
    status, names, _ = cost(warm.owner, "PATCH", warm.task_path, json={"title": "b"}, headers={"If-Match": '"9"'})
    assert (status, names) == (412, ["find", "abortTransaction", "find"])  # the last waits for the majority


# --- keys examined --------------------------------------------------------------------------------------------

LIMIT = 20


@pytest.fixture
def many(scene):
    """Four hundred tasks, a third of them without a due, some in the trash, beside those of another project."""
    fill(scene, [(number % 7 if number % 3 else None, number % 5, number) for number in range(400)])
    some = list(Task.objects(project_id=scene.project.id).limit(10).scalar("id"))
    Task.objects(id__in=some).update(set__deleted_at=scene.task.created_at)
    Task.objects.insert([task_row(ObjectId()) for _ in range(50)])
    return scene


def pages_examined(client, path, sort, depths):
    """What MongoDB examined for the pages at these depths of a list."""
    query = {"sort": sort, "limit": LIMIT}
    for depth in range(max(depths) + 1):
        with examined() as seen:
            answer = client.get(path, query_string=query)
        assert answer.status_code == 200
        if depth in depths:
            yield depth, seen
        query["cursor"] = answer.json["next_cursor"]


def test_a_page_looks_at_no_more_keys_than_it_answers(many):
    for sort in SORTS:
        for depth, [found] in pages_examined(many.owner, many.tasks_path, sort, (0, 3, 12)):
            assert found.returned == LIMIT + 1, (sort, depth)
            assert max(found.keys, found.documents) <= LIMIT + 2, (sort, depth)
            assert not found.sorted, (sort, depth)


def test_all_that_a_caller_may_see_looks_at_a_few_more_keys_for_each_project(many):
    for number in range(3):
        project = Project(key=f"M{number}", name="Mine", position="a0").save()
        Membership(project_id=project.id, user_id=many.owner.user.id, role="owner").save()
    User.objects(id=many.owner.user.id).update(inc__access_version=1)
    client = sign_in(many.app, many.owner.user)
    client.get("/api/v1/tasks")
    for sort in SORTS:
        for depth, seen in pages_examined(client, "/api/v1/tasks", sort, (0, 3)):
            # at most three ranges (the rest of a tie, and what follows), in each of the four projects
            assert sum(found.keys for found in seen) <= LIMIT + 2 + 3 * 4, (sort, depth)
            assert not any(found.sorted for found in seen), (sort, depth)


def test_the_members_of_a_project_are_read_by_an_index(many):
    for _ in range(3):
        many.member()
    with commands.counting() as seen:
        many.owner.get(many.members_path, query_string={"limit": 2})
    first = seen[0]
    command = {name: first.command[name] for name in ("find", "filter", "sort", "limit") if name in first.command}
    found = database.database().command("explain", command, verbosity="executionStats")
    assert found["executionStats"]["totalKeysExamined"] <= 3


# --- what is stored -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Task, Project, Membership, User], ids=lambda kind: kind.__name__)
def test_what_a_service_writes_is_what_mongoengine_would_write(scene, kind):
    patch(scene.owner, scene.task_path, {"title": "b", "due": "2026-12-01", "assignee_ids": []})
    patch(scene.owner, scene.project_path, {"description": "b"})
    for document in kind.objects:
        stored = kind._get_collection().find_one({"_id": document.id})
        document.validate()
        assert {name: value for name, value in stored.items() if value is not None} == document.to_mongo().to_dict()
        assert all(name in stored for name, field in kind._fields.items() if field.required and name != "id")


def test_every_row_of_a_list_can_be_walked_in_the_end(many):
    assert len(pages(many.owner, many.tasks_path, limit=LIMIT)) == 391
