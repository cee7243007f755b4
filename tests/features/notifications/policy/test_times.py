"""When people are told: quiet hours and digests hold whenever something is sent, and wishes for what waits, too."""

from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import given, strategies as st

from taskmanager.core.clock import now
from taskmanager.core.zones import zone
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.notifications.policy import delivery_times
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.testing.clients import sign_in
from taskmanager.testing.mailbox import text_of
from tests.features.notifications.conftest import prefer, told
from tests.scene import patch

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kathmandu")
NIGHT = {"start": "22:00", "end": "07:00"}


@pytest.fixture(autouse=True)
def _before(app):
    """Begin before the days that `at` travels to: nothing is made in the future."""
    with time_machine.travel(datetime(2026, 11, 26, tzinfo=UTC)):
        yield


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


def test_quiet_hours_hold_back_mail_but_not_what_is_read_in_the_service(scene, assign, mail, deliver, later):
    member = scene.member()
    patch(member, "/api/v1/users/me", {"timezone": "Pacific/Auckland"})
    hour = now().astimezone(zone("Pacific/Auckland")).hour
    prefer(member, quiet_hours={"start": f"{hour:02}:00", "end": f"{(hour + 2) % 24:02}:00"})
    assign(member)
    deliver()
    assert mail.to(member.user.email) == []
    assert [kind for kind, _ in told(member)][-1] == "task.assigned"
    waiting = Delivery.objects(channel="email", state="pending").get()
    assert waiting.due_at.astimezone(zone("Pacific/Auckland")).strftime("%H:%M") == f"{(hour + 2) % 24:02}:00"
    prefer(member, quiet_hours=None)
    later()
    assert len(mail.to(member.user.email)) == 1


def test_a_digest_tells_of_several_tasks_in_one_mail(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, digest="daily", level="all")
    for title in ("One", "Two"):
        task = scene.owner.post(scene.tasks_path, json={"title": title}).json
        scene.owner.post(f"/api/v1/tasks/{task['id']}/comments", json={"text": f"About {title}"})
    deliver()
    assert mail.to(member.user.email) == []
    later()
    (message,) = mail.to(member.user.email)
    assert "About One" in text_of(message) and "About Two" in text_of(message)
    assert message["Subject"] == "2 notices about 2 things"


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    st.times(),
    st.times(),
    st.sampled_from(ZONES),
)
def test_the_end_of_quiet_hours_is_outside_of_them_and_not_far(moment, begins, ends, name):
    quiet = [f"{begins:%H:%M}", f"{ends:%H:%M}"]
    due = delivery_times.after_quiet(moment, *quiet, name)
    assert 0 <= (due - moment).total_seconds() <= 25 * 3600
    assert due == moment or f"{due.astimezone(zone(name)):%H:%M}" == quiet[1] or _skipped(due, name)


def _skipped(due, name):
    """The clock left that time out."""
    return due.astimezone(zone(name)).utcoffset() != (due.replace(hour=0)).astimezone(zone(name)).utcoffset()


def test_quiet_hours_end_once_where_the_clock_is_put_back():
    second_half_past_two = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # in Berlin 02:30 comes twice
    due = delivery_times.after_quiet(second_half_past_two, "01:00", "02:45", "Europe/Berlin")
    assert due == datetime(2026, 10, 25, 1, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "how", "due"),
    [
        ("2026-11-24T06:59:00", ("daily", "08:00", "monday", "Europe/Berlin"), "2026-11-24T07:00:00"),
        ("2026-11-24T07:00:00", ("daily", "08:00", "monday", "Europe/Berlin"), "2026-11-25T07:00:00"),
        ("2026-11-24T07:00:00", ("weekly", "08:00", "monday", "Europe/Berlin"), "2026-11-30T07:00:00"),
        ("2026-11-23T06:00:00", ("weekly", "08:00", "monday", "Europe/Berlin"), "2026-11-23T07:00:00"),
        ("2026-03-28T23:00:00", ("daily", "08:00", "monday", "Europe/Berlin"), "2026-03-29T06:00:00"),
    ],
)
def test_digests_go_out_by_the_clock_of_the_person(moment, how, due):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert delivery_times.next_digest(at, *how) == datetime.fromisoformat(due).replace(tzinfo=UTC)
