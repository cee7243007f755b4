"""What one reads within the service: a list, what is unread, and marking it as read."""

from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import chunked_updates
from taskmanager.features.notifications.models import Notification
from tests.features.notifications.conftest import told
from tests.features.query_log import scattered
from tests.problems import assert_problem
from tests.scene import patch
from tests.web.counting import commands

READ = "/api/v1/notifications/read"
ANY = {"If-Match": "*"}


@pytest.fixture
def member(scene, deliver):
    """A user who was told five things."""
    member = scene.member()
    ids = [str(member.user.id)]
    for number in range(4):
        body = {"title": f"Task {number}", "assignee_ids": ids}
        assert scene.owner.post(scene.tasks_path, json=body).status_code == 201
    deliver()
    return member


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/api/v1/notifications?limit=100{query}").json["items"]]


def test_the_list_goes_by_cursor_and_tells_the_newest_first_if_asked(member):
    first = member.get("/api/v1/notifications?sort=-created_at&limit=3").json
    assert len(first["items"]) == 3
    rest = member.get(f"/api/v1/notifications?sort=-created_at&limit=3&cursor={first['next_cursor']}").json
    assert [item["id"] for item in first["items"] + rest["items"]] == ids(member)[::-1]


def test_one_is_marked_as_read_and_as_unread(member):
    path = f"/api/v1/notifications/{ids(member)[1]}"
    etag = member.get(path).headers["ETag"]
    marked = member.put(f"{path}/read", headers={"If-Match": etag})
    assert marked.status_code == 200 and marked.json["read_at"]
    assert member.put(f"{path}/read", headers={"If-Match": etag}).status_code == 412
    assert member.get(READ).json["unread"] == 4
    assert len(ids(member, "&unread=true")) == 4
    assert member.delete(f"{path}/read", headers=ANY).json["read_at"] is None
    assert member.get(READ).json["unread"] == 5


def test_all_are_marked_up_to_the_one_that_was_seen(member, scene, deliver):
    seen = ids(member)[2]
    answer = member.put(READ, json={"until": seen}, headers=ANY)
    assert (answer.status_code, answer.json["unread"], answer.json["read_until"]) == (200, 2, seen)
    with commands.counting() as sent:
        assert member.put(READ, json={}, headers=ANY).json["unread"] == 0
    asked = [event for event in sent if event.command_name == "update" and event.command["update"] == "notifications"]
    assert asked and not [one for event in asked for one in scattered(event)]  # of one account, on one shard
    assert member.put(READ, json={}, headers={"If-Match": '"1"'}).status_code == 412


def test_a_body_may_be_left_out(member):
    assert member.put(READ, headers=ANY).json["unread"] == 0


@pytest.mark.parametrize("word", ["1", "yes", "on", "TRUE", "0", ""])
def test_unread_is_true_or_false(member, word):
    assert_problem(member.get(f"/api/v1/notifications?unread={word}"), 422)


def test_the_count_is_answered_under_an_etag(member, scene, assign, deliver):
    answer = member.get(READ)
    assert member.get(READ, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assign(member)
    deliver()
    again = member.get(READ, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.json["unread"]) == (200, 6)


def test_no_one_reads_or_marks_what_others_were_told(member, scene):
    path = f"/api/v1/notifications/{ids(member)[0]}"
    assert scene.owner.get(path).status_code == 404
    assert scene.owner.put(f"{path}/read", headers=ANY).status_code == 404
    assert scene.owner.put(READ, json={"until": ids(member)[0]}, headers=ANY).status_code == 404
    assert member.get(READ).json["unread"] == 5


def test_what_was_told_of_a_project_that_one_left_is_not_shown(member, scene):
    scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=ANY)
    assert told(member) == []
    assert member.get(READ).json["unread"] == 0


def test_an_event_that_is_told_twice_is_there_once(scene, assign, deliver):
    from taskmanager.core.events.log import Event
    from taskmanager.features.notifications import service

    member = scene.member()
    assign(member)
    deliver()
    service.notify(Event.objects(kind="task.updated").get())
    assert [kind for kind, _ in told(member)] == ["project.added", "task.assigned"]


def test_a_change_of_the_order_by_hand_is_no_news(scene, assign, deliver):
    member = scene.member()
    assign(member)
    patch(scene.owner, scene.task_path, {"title": scene.task.title})
    scene.owner.put(f"{scene.task_path}/position", json={"at": "last"}, headers=ANY)
    deliver()
    assert [kind for kind, _ in told(member)] == ["project.added", "task.assigned"]


def test_what_came_later_stays_unread_although_its_id_is_smaller(scene):
    """Two workers make ids within one second in any order."""
    member = scene.member()
    second = b"\x70\x00\x00\x00"
    ids = [ObjectId(second + b"\xff" * 8), ObjectId(second + b"\x00" * 8)]
    for number, item_id in enumerate(ids):
        Notification(
            id=item_id,
            user_id=member.user.id,
            event_id=ObjectId(),
            kind="task.assigned",
            title="x",
            text="x",
            created_at=now() + timedelta(milliseconds=100 * number),
            expires_at=now() + timedelta(days=1),
        ).save(force_insert=True)
    answer = member.put("/api/v1/notifications/read", json={"until": str(ids[0])}, headers={"If-Match": "*"})
    assert (answer.status_code, answer.json["unread"]) == (200, 1)


def test_read_until_does_not_go_back(scene, assign, deliver):
    member = scene.member()
    assign(member)
    deliver()
    items = member.get("/api/v1/notifications").json["items"]
    for item in (items[-1], items[0]):
        answer = member.put("/api/v1/notifications/read", json={"until": item["id"]}, headers={"If-Match": "*"})
    assert answer.json["read_until"] == items[-1]["id"]


def test_very_much_is_marked_as_read_little_by_little(member, monkeypatch):
    monkeypatch.setattr(chunked_updates, "_SIZE", 2)
    assert member.put(READ, json={}, headers=ANY).json["unread"] == 0
