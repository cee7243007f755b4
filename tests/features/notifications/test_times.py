"""When people are told: quiet hours and digests hold whenever something is sent, and wishes for what waits, too."""

from datetime import UTC, datetime

import pytest
import time_machine

from taskmanager.features.notifications.models import Delivery
from taskmanager.features.tasks import reminders
from tests.conftest import sign_in
from tests.features.notifications.conftest import prefer
from tests.mailbox import text_of
from tests.scene import patch

NIGHT = {"start": "22:00", "end": "07:00"}


@pytest.fixture
def at(scene, app, deliver):
    """`with at("26 21:00") as (owner, member):` both are logged in at that day and time."""
    member = scene.member().user
    deliver()

    class At(time_machine.travel):
        def __init__(self, clock):
            super().__init__(datetime.fromisoformat(f"2026-11-{clock}").replace(tzinfo=UTC))

        def __enter__(self):
            super().__enter__()
            return sign_in(app, scene.owner.user), sign_in(app, member)

    return At


def comment(scene, owner, text="Hm"):
    assert owner.post(f"{scene.task_path}/comments", json={"text": text}).status_code == 201


def due():
    return Delivery.objects(channel="email", state="pending").get().due_at.strftime("%d %H:%M")


def test_what_failed_in_the_evening_is_not_tried_again_at_night(scene, at, assign, mail, deliver):
    with at("26 21:59:30") as (owner, member):
        prefer(member, quiet_hours=NIGHT)
        mail.busy = {member.user.email}
        assign(member, by=owner)
        deliver()
        mail.busy = set()
    with at("27 02:00"):
        deliver()
        assert mail.to(member.user.email) == []
        assert due() == "27 07:00"
    with at("27 07:00"):
        deliver()
        assert len(mail.to(member.user.email)) == 1


def test_quiet_hours_that_are_turned_on_hold_for_what_waits_and_turned_off_too(scene, at, assign, mail, deliver):
    with at("26 23:00") as (owner, member):
        assign(member, by=owner)
        deliver()
        mail.empty()
        comment(scene, owner)
        deliver()
        prefer(member, quiet_hours=NIGHT)
    with at("26 23:30"):
        deliver()
        assert mail.to(member.user.email) == []
        assert due() == "27 07:00"
    with at("26 23:40") as (_, member):
        prefer(member, quiet_hours=None)
        deliver()
    with at("26 23:50"):
        deliver()
        assert len(mail.to(member.user.email)) == 1


def test_a_digest_follows_its_hour_and_the_zone_of_the_person(scene, at, assign, mail, deliver):
    with at("26 12:00") as (owner, member):
        prefer(member, digest="daily", digest_at="08:00", quiet_hours=NIGHT)
        assign(member, by=owner)
        deliver()
        comment(scene, owner, "One")
        deliver()
        assert due() == "27 08:00"
        patch(member, "/api/v1/users/me", {"timezone": "America/New_York"})
        deliver()
        assert due() == "26 13:00"
        prefer(member, digest_at="23:00")
        deliver()
        assert due() == "27 04:00"
        mail.empty()
        mail.busy = {member.user.email}
    with at("27 04:00"):  # a digest comes at its hour, whatever is quiet then
        deliver()
        assert Delivery.objects(channel="email", state="pending").get().attempts == 1
        mail.busy = set()
    with at("27 05:00"):  # but what failed waits as other mails do
        deliver()
        assert mail.to(member.user.email) == []
        assert due() == "27 12:00"
    with at("27 12:00"):
        deliver()
        assert "One" in text_of(mail.to(member.user.email)[0])


def test_reminders_know_no_quiet_hours_when_they_are_tried_again(scene, at, mail, deliver):
    with at("26 21:50") as (_, member):
        prefer(member, quiet_hours=NIGHT)
        answer = member.post(f"{scene.task_path}/reminders", json={"at": "2026-11-26T21:55:00Z"})
        assert answer.status_code == 201, answer.text
    with at("26 22:00"):
        mail.busy = {member.user.email}
        reminders.fire_due()
        deliver()
        mail.busy = set()
    with at("26 23:00"):
        deliver()
        assert "Reminder" in mail.to(member.user.email)[-1]["Subject"]
