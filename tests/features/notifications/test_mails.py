"""Mails to assignees: who gets one, and that what people type stays text."""

import pytest

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from tests.conftest import sign_in
from tests.factories import MembershipFactory, UserFactory
from tests.mailbox import text_of
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


def test_nobody_is_told_of_what_he_did_himself(scene, mail, deliver):
    assign(scene, scene.owner)
    deliver()
    assert recipients(mail) == []


def test_assignees_of_a_new_task_are_told(scene, mail, deliver):
    member = scene.member()
    scene.owner.post(scene.tasks_path, json={"title": "New", "assignee_ids": [str(member.user.id)]})
    deliver()
    assert recipients(mail) == [member.user.email]


def test_other_changes_tell_nobody(scene, mail, deliver):
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
    assert scene.owner.user.name in text and scene.task_path in text


@pytest.mark.parametrize("title", ["A\u2028Bcc: eve@example.com", "Tab\tand\u00a0space", "x" * 500, "Grüße 🎉 日本"])
def test_a_title_stays_in_its_place(scene, mail, deliver, title):
    member = scene.member()
    patch(scene.owner, scene.task_path, {"title": title})
    assign(scene, member)
    deliver()
    for message in mail.messages:
        assert "Bcc" not in message
        assert "\n" not in message["Subject"] and len(message["Subject"]) <= 150


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
