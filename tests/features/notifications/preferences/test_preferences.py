"""Who is told what, by which channel: what people choose holds, and no one is told of their own action."""

from datetime import timedelta

import pytest

from taskmanager.core import cached_values
from taskmanager.core.clock import now
from taskmanager.features.notifications.channels.email_channel import unsubscribe_token
from taskmanager.features.notifications.models import Delivery, Preferences
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.users.models import User
from taskmanager.testing.mailbox import text_of
from tests.features.notifications.conftest import prefer, told
from tests.scene import patch

PREFERENCES = "/api/v1/notifications/preferences"


def test_defaults_are_answered_and_can_be_changed_one_by_one(scene):
    answer = scene.owner.get(PREFERENCES)
    assert answer.json["channels"]["email"]["task.assigned"] is True
    assert answer.json["channels"]["email"]["task.changed"] is False
    assert answer.headers["ETag"] == '"0"'
    changed = patch(scene.owner, PREFERENCES, {"channels": {"email": {"task.changed": True}}}, **{"If-Match": '"0"'})
    assert changed.status_code == 200
    assert changed.json["channels"]["email"]["task.changed"] is True
    assert changed.json["channels"]["email"]["task.assigned"] is True
    assert patch(scene.owner, PREFERENCES, {"level": "all"}, **{"If-Match": '"0"'}).status_code == 412


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": {"pigeon": {"task.changed": True}}},
        {"channels": {"email": {"account": False}}},
        {"channels": {"email": {"task.changed": "yes"}}},
        {"channels": []},
        {"level": "some"},
        {"quiet_hours": {"start": "22:00"}},
        {"quiet_hours": {"start": "22:00", "end": "24:00"}},
        {"digest": "hourly"},
        {"digest_on": "someday"},
        {"user_id": "65f1c0ffee0123456789abcd"},
    ],
)
def test_what_there_is_not_cannot_be_chosen(scene, wrong):
    assert patch(scene.owner, PREFERENCES, wrong).status_code == 422
    assert scene.owner.get(PREFERENCES).json["revision"] == 0


def test_what_is_null_is_the_default_again_and_what_is_absent_stays(scene):
    chosen = {"channels": {"email": {"task.changed": True, "task.commented": False}, "in_app": {"task.changed": False}}}
    patch(scene.owner, PREFERENCES, chosen | {"quiet_hours": {"start": "22:00", "end": "07:00"}})
    changed = patch(scene.owner, PREFERENCES, {"channels": {"email": {"task.changed": None}}}).json["channels"]
    assert (changed["email"]["task.changed"], changed["email"]["task.commented"]) == (False, False)
    changed = patch(scene.owner, PREFERENCES, {"channels": {"email": None}}).json["channels"]
    assert (changed["email"]["task.commented"], changed["in_app"]["task.changed"]) == (True, False)
    assert patch(scene.owner, PREFERENCES, {"channels": None}).json["channels"]["in_app"]["task.changed"] is True
    answer = patch(scene.owner, PREFERENCES, {"quiet_hours": {"start": "21:00"}})
    assert answer.json["quiet_hours"] == {"start": "21:00", "end": "07:00"}
    assert patch(scene.owner, PREFERENCES, {"quiet_hours": {"start": None}}).status_code == 422
    assert patch(scene.owner, PREFERENCES, {"quiet_hours": None}).json["quiet_hours"] is None


def test_choices_for_a_channel_that_is_not_there_at_the_moment_are_kept(scene):
    patch(scene.owner, PREFERENCES, {"level": "all"})
    Preferences.objects(user_id=scene.owner.user.id).update(set__chosen=["+pigeon task.assigned"])
    patch(scene.owner, PREFERENCES, {"channels": {"email": {"task.changed": True}}})
    stored = Preferences.objects(user_id=scene.owner.user.id).get()
    assert sorted(stored.chosen) == ["+email task.changed", "+pigeon task.assigned"]


def test_a_deleted_account_has_nothing_to_unsubscribe_from(scene, client):
    member = scene.member()
    User.objects(id=member.user.id).update(set__deleted_at=now())
    cached_values.invalidate("card", member.user.id)
    token = unsubscribe_token(member.user.id, "task.commented")
    assert client.post(f"/api/v1/notifications/unsubscribe?token={token}").status_code == 200
    assert Preferences.objects(user_id=member.user.id).first() is None


def test_a_channel_can_be_turned_off_for_a_kind(scene, assign, mail, deliver):
    member = scene.member()
    prefer(member, channels={"email": {"task.assigned": False}})
    assign(member)
    deliver()
    assert mail.to(member.user.email) == []
    assert ("task.assigned", f"[{scene.task.key}] {scene.task.title}") in told(member)


def test_no_one_is_told_of_what_they_did_themselves(scene, assign, deliver):
    assign(scene.owner)
    patch(scene.owner, scene.task_path, {"title": "Other"})
    deliver()
    assert told(scene.owner) == []


def test_those_involved_are_told_of_changes_and_others_are_not(scene, assign, deliver):
    member, bystander = scene.member(), scene.member()
    assign(member)
    patch(scene.owner, scene.task_path, {"priority": "high"})
    deliver()
    assert [kind for kind, _ in told(member)] == ["project.added", "task.assigned", "task.changed"]
    assert [kind for kind, _ in told(bystander)] == ["project.added"]


def test_who_follows_all_is_told_of_every_task_and_who_follows_none_of_their_own_only(scene, assign, deliver):
    follower, quiet = scene.member(), scene.member()
    prefer(follower, level="all")
    prefer(quiet, level="none")
    assign(quiet)
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    patch(scene.owner, scene.task_path, {"priority": "high"})
    deliver()
    assert sorted(kind for kind, _ in told(follower))[1:] == ["task.changed", "task.changed", "task.created"]
    assert [kind for kind, _ in told(quiet)] == ["project.added", "task.assigned"]


def test_a_project_has_a_level_of_its_own_and_can_be_muted(scene, assign, deliver):
    member, muted = scene.member(), scene.member()
    path = f"{scene.project_path}/notifications"
    assert patch(member, path, {"level": "all"}).json["level"] == "all"
    assert patch(muted, path, {"muted": True}).json["muted"] is True
    deliver()
    assign(muted)
    deliver()
    assert [kind for kind, _ in told(member)][-1] == "task.changed"
    assert told(muted) == []


def test_a_muted_project_still_reminds(scene, mail, deliver):
    patch(scene.owner, f"{scene.project_path}/notifications", {"muted": True})
    body = {"at": f"{now() - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}", "fire_if_past": True}
    assert scene.owner.post(f"{scene.task_path}/reminders", json=body).status_code == 201
    reminders.fire_due()
    deliver()
    assert ["Reminder" in message["Subject"] for message in mail.to(scene.owner.user.email)][-1:] == [True]


def test_a_burst_of_changes_to_a_task_is_one_mail(scene, assign, mail, deliver, later):
    member = scene.member()
    prefer(member, channels={"email": {"task.changed": True}})
    assign(member)
    deliver()
    mail.empty()
    for priority in ("low", "medium", "high"):
        patch(scene.owner, scene.task_path, {"priority": priority})
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Please look"})
    later()
    (message,) = mail.to(member.user.email)
    text = text_of(message)
    assert text.count("priority:") == 3
    assert "Please look" in text
    assert {delivery.state for delivery in Delivery.objects(channel="email")} == {"sent"}


def test_mails_of_a_task_are_one_thread_and_say_how_to_get_no_more(scene, assign, mail, deliver, client):
    member = scene.member()
    assign(member)
    scene.owner.post(f"{scene.task_path}/comments", json={"text": f"@{member.user.email} see"})
    deliver()
    first, second = mail.to(member.user.email)
    assert first["References"] == second["References"] == f"<task.{scene.task.id}@127.0.0.1>"
    assert first["Message-ID"] != second["Message-ID"]
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = first["List-Unsubscribe"].strip("<>").partition("/api/")[2]
    page = client.get(f"/api/{link}")
    assert page.status_code == 303
    assert "/pages/unsubscribe?token=tu_" in page.headers["Location"]
    member_client = member.get(PREFERENCES).json
    assert member_client["channels"]["email"]["task.assigned"] is True
    form = client.post(f"/api/{link}", data={"List-Unsubscribe": "One-Click"})
    assert (form.status_code, form.mimetype) == (200, "text/html")
    assert member.get(PREFERENCES).json["channels"]["email"]["task.assigned"] is False
    assert client.post(f"/api/{link}x").status_code == 404


def test_who_unsubscribes_does_not_get_what_was_waiting(scene, mail, deliver, later, client):
    member = scene.member()
    prefer(member, level="all")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hm"})
    deliver()
    token = unsubscribe_token(member.user.id, "task.commented")
    assert client.post(f"/api/v1/notifications/unsubscribe?token={token}").status_code == 200
    later()
    assert mail.to(member.user.email) == []


def test_a_disabled_account_is_told_nothing(scene, assign, mail, deliver):
    member = scene.member()
    assign(member)
    User.objects(id=member.user.id).update(set__disabled_at=now())
    deliver()
    assert mail.to(member.user.email) == []


def test_what_waits_for_an_account_that_is_disabled_meanwhile_is_not_sent(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, level="all")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hm"})
    deliver()
    User.objects(id=member.user.id).update(set__disabled_at=now())
    later()
    assert mail.to(member.user.email) == []


def test_html_of_a_mail_shows_what_people_typed_as_text(scene, assign, mail, deliver):
    member = scene.member()
    patch(scene.owner, scene.task_path, {"title": "<img src=x onerror=alert(1)> & more"})
    assign(member)
    deliver()
    html = mail.to(member.user.email)[0].get_body(("html",)).get_content()
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; more" in html


def test_null_stands_for_the_default(scene):
    member = scene.member()
    path = "/api/v1/notifications/preferences"
    defaults = member.get(path).json
    prefer(member, level="all", digest="weekly", digest_at="10:00", digest_on="friday")
    nothing = dict.fromkeys(("level", "digest", "digest_at", "digest_on", "channels", "quiet_hours"))
    cleared = patch(member, path, nothing).json
    assert {name: cleared[name] for name in nothing} == {name: defaults[name] for name in nothing}
    muted = patch(member, f"{scene.project_path}/notifications", {"muted": True})
    assert patch(member, f"{scene.project_path}/notifications", {"muted": None}).json["muted"] is False
    assert muted.json["muted"] is True


def test_who_has_chosen_nothing_gets_the_same_answer_under_the_same_etag(scene):
    for path in ("/api/v1/notifications/preferences", f"{scene.project_path}/notifications"):
        first, second = scene.owner.get(path), scene.owner.get(path)
        assert first.json == second.json and first.headers["ETag"] == second.headers["ETag"]
        assert first.json["updated_at"] is None


def test_who_left_is_not_told_what_was_still_to_be_sent(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, level="all")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Secret"})
    deliver()
    headers = {"If-Match": "*"}
    assert scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=headers).status_code == 204
    later()
    assert mail.to(member.user.email) == []
    assert told(member) == []
    assert Delivery.objects(channel="email").get().state == "cancelled"
