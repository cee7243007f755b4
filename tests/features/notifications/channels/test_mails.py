"""Mails to assignees: who gets one, and that what people type stays text."""

import re
from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, UserFactory
from taskmanager.testing.mailbox import text_of
from tests.scene import patch


def assign(scene, *people, by=None):
    ids = [str(person.user.id) for person in people]
    return patch(by or scene.owner, scene.task_path, {"assignee_ids": ids})


def recipients(mail) -> list[str]:
    return sorted(str(message["To"].addresses[0].addr_spec) for message in mail.messages)


def test_who_is_newly_assigned_gets_one_mail(scene, mail, deliver):
    first, second = scene.member(), scene.member()
    assign(scene, first)
    deliver()
    assign(scene, first, second)
    deliver()
    assert recipients(mail) == sorted([first.user.email, second.user.email])


def test_no_one_is_told_of_what_they_did_themselves(scene, mail, deliver):
    assign(scene, scene.owner)
    deliver()
    assert recipients(mail) == []


def test_assignees_of_a_new_task_are_told(scene, mail, deliver):
    member = scene.member()
    scene.owner.post(scene.tasks_path, json={"title": "New", "assignee_ids": [str(member.user.id)]})
    deliver()
    assert recipients(mail) == [member.user.email]


def test_other_changes_tell_no_one(scene, mail, deliver):
    member = scene.member()
    assign(scene, member)
    deliver()
    patch(scene.owner, scene.task_path, {"title": "Other"})
    deliver()
    assert len(mail.messages) == 1


def test_a_mail_names_the_task_and_who_assigned_it(scene, mail, deliver):
    member = scene.member()
    assign(scene, member)
    deliver()
    (message,) = mail.messages
    assert message["Subject"] == f"[{scene.task.key}] {scene.task.title}"
    text = text_of(message)
    assert scene.owner.user.name in text and f"http://127.0.0.1:8000/pages/tasks/{scene.task.id}" in text


@pytest.mark.parametrize("title", ["A\u2028Bcc: eve@example.com", "Tab\tand\u00a0space", "x" * 500, "Grüße 🎉 日本"])
def test_a_title_stays_in_its_place(scene, mail, deliver, title):
    member = scene.member()
    patch(scene.owner, scene.task_path, {"title": title})
    assign(scene, member)
    deliver()
    for message in mail.messages:
        assert "Bcc" not in message
        assert "\n" not in message["Subject"] and len(message["Subject"]) <= 150


INJECTED = "=?utf-8?q?A=0D=0ABcc:_eve=40example.com=0D=0A=0D=0A<h1>Pay</h1>?="


def test_an_encoded_word_of_people_becomes_no_header(scene, mail, deliver):
    """Python's `email` decodes what looks like RFC 2047, line breaks and all (CVE-2024-6923)."""
    user = UserFactory(name=INJECTED)
    MembershipFactory(project=scene.project, user=user)
    patch(scene.owner, scene.task_path, {"title": INJECTED})
    patch(scene.owner, scene.project_path, {"name": INJECTED})
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": "new@example.com", "role": "member"})
    assign(scene, sign_in(scene.app, user))
    deliver()
    assert len(mail.raw) == 2
    for raw in mail.raw:
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"\r\nBcc" not in head and b"eve@example.com" not in head.replace(b"_", b"")
        assert not body.startswith(b"<h1>")


def test_the_link_to_unsubscribe_is_one_line_that_programs_can_read(scene, mail, deliver):
    assign(scene, scene.member())
    deliver()
    (line,) = [line for line in mail.raw[0].split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    assert re.fullmatch(rb"List-Unsubscribe: <http://\S+/notifications/unsubscribe\?token=tu_[A-Za-z0-9_-]+>", line)


def test_a_long_name_with_commas_stays_one_recipient(scene, mail, deliver):
    name = "Smith, John <evil@example.com>, Karl Theodor Maria Nikolaus Johann Jacob Philipp Sylvester"
    user = UserFactory(name=name)
    MembershipFactory(project=scene.project, user=user)
    assign(scene, sign_in(scene.app, user))
    deliver()
    assert [address.addr_spec for address in mail.messages[0]["To"].addresses] == [user.email]


def test_programs_get_no_mail(scene, mail, deliver):
    service = UserFactory()
    User.objects(id=service.id).update(set__kind="service", set__email="service-1@service.invalid")
    MembershipFactory(project=scene.project, user=service)
    body = {"assignee_ids": [str(service.id)]}
    assert patch(scene.owner, scene.task_path, body).status_code == 200
    deliver()
    assert mail.messages == []
    assert Delivery.objects(channel="email").get().state == "cancelled"


def test_a_message_that_is_refused_for_good_is_not_tried_again(scene, mail, deliver):
    patch(scene.owner, scene.task_path, {"title": "unwanted words"})
    assign(scene, scene.member())
    deliver()
    refused = Delivery.objects(channel="email").get()
    assert (refused.state, refused.attempts) == ("dead", 1)
    assert "554" in refused.last_error


def test_a_name_cannot_become_an_address(scene, mail, deliver):
    user = UserFactory(name='"Eve" <eve@example.com>, x')
    MembershipFactory(project=scene.project, user=user)
    assign(scene, sign_in(scene.app, user))
    deliver()
    assert recipients(mail) == [user.email]


def test_while_the_mail_server_is_away_the_mail_waits(scene, mail, deliver):
    member = scene.member()
    mail.refusing = True
    assign(scene, member)
    deliver()
    mail.refusing = False
    assert recipients(mail) == []
    deliver_later(deliver)
    assert recipients(mail) == [member.user.email]


def deliver_later(deliver) -> None:
    """As the relay does once the pause is over."""
    Delivery.objects(state="pending").update(set__due_at=now(), set__claimed_until=now())
    deliver()


def test_a_mail_has_a_date_and_is_plain_7_bit(scene, mail, deliver):
    """RFC 5322, 3.6 requires a Date; what is not 7-bit needs an extension that not every server has."""
    member = scene.member()
    User.objects(id=member.user.id).update(set__name="Zoë 日本")
    patch(scene.owner, scene.task_path, {"title": "Grüße, 世界 🚀 " + "long " * 30})
    assign(scene, member)
    deliver()
    (message,), (raw,) = mail.messages, mail.raw
    assert abs(message["Date"].datetime - now()) < timedelta(minutes=10)
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998
    assert "Grüße, 世界 🚀" in text_of(message)
