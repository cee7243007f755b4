"""What is told is true, and still wanted, when it is sent; and of what happens to a task, nothing is left out."""

import re

import pytest

from taskmanager.core.clock import now
from taskmanager.features.notifications.channels.email_channel import unsubscribe_token
from taskmanager.features.notifications.delivery import maintenance, service as deliveries
from taskmanager.features.notifications.models import Delivery
from taskmanager.testing.factories import MembershipFactory, ProjectFactory
from taskmanager.testing.mailbox import text_of
from tests.features.notifications.conftest import prefer, quiet_now, told
from tests.scene import patch

ANY = {"If-Match": "*"}


@pytest.fixture
def follower(scene, deliver):
    """A user who follows all tasks, and gets mails of changes too."""
    member = scene.member()
    prefer(member, level="all", channels={"email": {"task.changed": True}})
    deliver()
    return member


def comment(scene, text="Hm"):
    answer = scene.owner.post(f"{scene.task_path}/comments", json={"text": text})
    assert answer.status_code == 201
    return answer.json


def texts(mail, person):
    return "".join(text_of(message) for message in mail.to(person.user.email))


def test_what_waits_of_a_deleted_project_is_not_told(scene, follower, mail, deliver, later):
    comment(scene, "Secret")
    deliver()
    assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    later()
    assert mail.to(follower.user.email) == []
    assert Delivery.objects(kind="task.commented", channel="email").get().state == "cancelled"


@pytest.mark.parametrize(
    "wish",
    [{"level": "none"}, {"channels": {"email": {"task.commented": False}}}],
)
def test_what_is_turned_off_holds_for_what_waits(scene, follower, mail, deliver, later, wish):
    comment(scene)
    deliver()
    prefer(follower, **wish)
    later()
    assert mail.to(follower.user.email) == []


def test_a_project_that_is_muted_is_muted_for_what_waits(scene, follower, mail, deliver, later):
    comment(scene)
    deliver()
    assert patch(follower, f"{scene.project_path}/notifications", {"muted": True}).status_code == 200
    later()
    assert mail.to(follower.user.email) == []


@pytest.mark.parametrize("first", ["comment", "change"])
def test_to_unsubscribe_from_one_kind_leaves_the_others_of_its_group(
    scene, follower, mail, deliver, later, client, first
):
    """Whichever of the two leads, and although both were tried together before."""
    steps = [lambda: comment(scene, "Unwanted"), lambda: patch(scene.owner, scene.task_path, {"priority": "high"})]
    for step in steps if first == "comment" else reversed(steps):
        step()
    deliver()
    mail.refusing = True
    later()
    mail.refusing = False
    token = unsubscribe_token(follower.user.id, "task.commented")
    assert client.post(f"/api/v1/notifications/unsubscribe?token={token}").status_code == 200
    maintenance.sweep()
    later()
    assert "priority: None" in texts(mail, follower) and "Unwanted" not in texts(mail, follower)


def test_a_mail_offers_to_turn_off_all_that_it_tells_of(scene, follower, mail, deliver, later, client):
    comment(scene)
    patch(scene.owner, scene.task_path, {"priority": "high"})
    later()
    (message,) = mail.to(follower.user.email)
    link = re.search(r"/pages/unsubscribe\?token=\S+", text_of(message))[0]
    page = client.get(link).text
    assert "A comment on a task of yours" in page and "A task of yours was changed" in page
    client.post(link.replace("/pages/", "/api/v1/notifications/"))
    policies = follower.get("/api/v1/notifications/preferences").json["channels"]["email"]
    assert (policies["task.commented"], policies["task.changed"], policies["task.assigned"]) == (False, False, True)


def test_who_ends_their_digest_gets_what_it_had_collected(scene, follower, mail, deliver):
    prefer(follower, digest="weekly")
    comment(scene, "Collected")
    deliver()
    assert mail.to(follower.user.email) == []
    prefer(follower, digest="off")
    deliver()
    assert "Collected" in texts(mail, follower)


def test_of_very_much_the_latest_is_told_and_how_much_is_left_out(scene, follower, mail, later, monkeypatch):
    monkeypatch.setattr("taskmanager.features.notifications.delivery.grouping.MAX_NOTICES", 3)
    for number in range(5):
        comment(scene, f"Number {number}")
    later()
    text = texts(mail, follower)
    assert "2 earlier ones are left out" in text
    assert "Number 1" not in text and all(f"Number {number}" in text for number in (2, 3, 4))


def test_what_is_not_wanted_any_more_takes_no_place_of_what_is(scene, follower, mail, deliver, later, monkeypatch):
    monkeypatch.setattr("taskmanager.features.notifications.delivery.grouping.MAX_NOTICES", 2)
    for number in range(3):
        comment(scene, f"Number {number}")
    for priority in ("low", "medium", "high"):
        patch(scene.owner, scene.task_path, {"priority": priority})
    deliver()
    prefer(follower, channels={"email": {"task.changed": False}})
    later()
    text = texts(mail, follower)
    assert "1 earlier ones are left out" in text and "Number 2" in text and "priority" not in text


def test_who_is_not_assigned_any_more_is_not_told_that_they_are(scene, mail, assign, deliver, later):
    member = scene.member()
    prefer(member, quiet_hours=quiet_now())
    assign(member)
    deliver()
    assign()
    later()
    assert "assigned" not in texts(mail, member)


def test_who_is_not_mentioned_any_more_is_not_told_that_they_are(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, quiet_hours=quiet_now())
    path = f"{scene.task_path}/comments/{comment(scene, f'@{member.user.email} see')['id']}"
    deliver()
    assert patch(scene.owner, path, {"text": "No one need see"}).status_code == 200
    later()
    assert mail.to(member.user.email) == []


def test_who_is_unassigned_hears_it(scene, assign, deliver):
    member = scene.member()
    assign(member)
    deliver()
    assign()
    deliver()
    assert [kind for kind, _ in told(member)][-1] == "task.changed"
    latest = member.get("/api/v1/notifications?sort=-created_at&limit=1").json["items"][0]
    assert "unassigned you from" in latest["text"]


def test_a_task_that_is_done_by_its_status_is_completed(scene, assign, deliver):
    member = scene.member()
    assign(member)
    patch(scene.owner, scene.task_path, {"status": "done"})
    deliver()
    assert [kind for kind, _ in told(member)][-1] == "task.completed"


def test_who_heard_that_a_task_was_deleted_hears_that_it_is_back(scene, assign, deliver):
    member = scene.member()
    assign(member)
    scene.owner.delete(scene.task_path, headers=ANY)
    deliver()
    scene.owner.post(f"{scene.task_path}/restore")
    deliver()
    headlines = [item["text"].splitlines()[0] for item in member.get("/api/v1/notifications").json["items"]][-2:]
    assert "deleted" in headlines[0] and "restored" in headlines[1]


def test_a_move_is_told_to_who_goes_along_and_to_who_does_not(scene, assign, deliver):
    along, dropped = scene.member(), scene.member()
    elsewhere = ProjectFactory(owner=scene.owner.user)
    MembershipFactory(project=elsewhere, user=along.user)
    assign(along, dropped)
    deliver()
    answer = scene.owner.post(f"{scene.task_path}/move", json={"project_id": str(elsewhere.id)})
    assert answer.status_code == 200, answer.text
    patch(scene.owner, f"/api/v1/tasks/{scene.task.id}", {"title": "Secret there"})
    deliver()
    for person, words in ((along, "moved"), (dropped, "to a project that you are not in")):
        (moved,) = [i for i in person.get("/api/v1/notifications?limit=100").json["items"] if "moved" in i["text"]]
        assert words in moved["text"] and moved["kind"] == "task.changed"
    assert not any("Secret" in title for _, title in told(dropped))


def test_who_watched_or_made_what_is_moved_away_is_told(scene, deliver):
    mover, watcher = scene.member("manager"), scene.member()
    elsewhere = ProjectFactory(owner=mover.user)
    assert watcher.put(f"{scene.task_path}/watchers/{watcher.user.id}", headers=ANY).status_code == 204
    deliver()
    assert mover.post(f"{scene.task_path}/move", json={"project_id": str(elsewhere.id)}).status_code == 200
    deliver()
    for person, words in ((watcher, "which you watched, "), (scene.owner, "which you created, ")):
        assert words in person.get("/api/v1/notifications?limit=100").json["items"][-1]["text"]


def test_completing_a_recurring_task_is_told_once(scene, assign, follower, mail, deliver):
    one, other, watcher = scene.member(), scene.member(), scene.member()
    assign(one, other)
    watcher.put(f"{scene.task_path}/watchers/{watcher.user.id}", headers=ANY)
    patch(scene.owner, scene.task_path, {"due": "2026-12-01", "recurrence": "FREQ=DAILY"})
    deliver()
    before = {person: len(told(person)) for person in (one, other, watcher, follower)}
    mail.empty()
    assert one.put(f"{scene.task_path}/completion", headers=ANY).status_code == 200
    deliver()
    news = {person: [kind for kind, _ in told(person)][number:] for person, number in before.items()}
    assert (news[one], news[other], news[watcher]) == ([], ["task.completed"], ["task.completed"])
    assert sorted(news[follower]) == ["task.completed", "task.created"]
    assert mail.to(other.user.email) == []


def test_what_the_service_does_by_itself_is_news_for_no_one(scene, follower, deliver):
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json
    for number in range(3):
        scene.owner.post(scene.tasks_path, json={"title": f"T{number}", "label_ids": [label["id"]]})
    deliver()
    before = told(follower)
    assert scene.owner.delete(f"{scene.project_path}/labels/{label['id']}", headers=ANY).status_code == 204
    deliver()
    assert told(follower) == before and told(scene.owner) == []


def test_a_worker_whose_time_is_over_sends_nothing_and_settles_nothing(scene, follower, mail, deliver, monkeypatch):
    """Making the notices took so long that another worker has sent them."""
    comment(scene)
    patch(scene.owner, scene.task_path, {"priority": "high"})
    deliver()
    Delivery.objects(state="pending").update(set__due_at=now(), set__claimed_until=now())
    first = Delivery.objects(channel="email", state="pending").order_by("id").first()
    make, calls = deliveries.grouping.message, []

    def slow(delivery, *how):
        calls.append(delivery)
        message = make(delivery, *how)
        if len(calls) == 1:
            Delivery.objects(id=first.id).update(set__claimed_until=now())
            deliveries.send(first.id)
            delivery.claimed_until = now()
        return message

    monkeypatch.setattr(deliveries.grouping, "message", slow)
    deliveries.send(first.id)
    assert len(calls) == 2 and len(mail.to(follower.user.email)) == 1
    assert {row.state for row in Delivery.objects(channel="email")} == {"sent"}


def test_what_people_read_of_a_comment_is_what_it_says_and_goes_with_it(scene, follower, deliver):
    path = f"{scene.task_path}/comments/{comment(scene, 'The password is xyzzy')['id']}"
    deliver()
    (_, item) = follower.get("/api/v1/notifications").json["items"]
    assert "xyzzy" in item["text"]
    follower.put(f"/api/v1/notifications/{item['id']}/read", headers=ANY)

    assert patch(scene.owner, path, {"text": "Never mind"}).status_code == 200
    deliver()
    (_, edited) = follower.get("/api/v1/notifications").json["items"]
    assert "xyzzy" not in edited["text"] and "Never mind" in edited["text"]
    assert (edited["id"], bool(edited["read_at"])) == (item["id"], True)
    assert edited["revision"] > item["revision"]

    assert scene.owner.delete(path, headers=ANY).status_code == 204
    deliver()
    assert [kind for kind, _ in told(follower)] == ["project.added"]


def test_a_mention_that_is_taken_back_is_a_comment_like_others(scene, follower, deliver):
    made = comment(scene, f"@{follower.user.email} look")
    deliver()
    assert [kind for kind, _ in told(follower)] == ["project.added", "task.mentioned"]
    patch(scene.owner, f"{scene.task_path}/comments/{made['id']}", {"text": "Look"})
    deliver()
    assert [kind for kind, _ in told(follower)] == ["project.added", "task.commented"]
