"""Mail as a weapon: who gets none, how many an hour an address gets, and that people's words stay words."""

import re
from datetime import timedelta

import pytest
import time_machine

from taskmanager.core.clock import now
from taskmanager.features.notifications.channels import mail_budget
from taskmanager.features.notifications.content.quoting import inline, one_line, quoted
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, TaskFactory, UserFactory
from taskmanager.testing.factories.things import PASSWORD
from taskmanager.testing.mailbox import text_of
from tests.features.notifications.conftest import told
from tests.scene import patch


@pytest.fixture
def budgets(change_settings):
    """Chooses how many mails an hour: `budgets(mail_notices_hourly=3)`."""
    return change_settings


def assigned(scene, person, number):
    for _ in range(number):
        TaskFactory(project=scene.project, assignees=(person.user,))


def html_of(message):
    return str(message.get_body(("html",)).get_content())


# --- addresses that were not proved ---------------------------------------------------------------------------


def test_an_address_that_was_not_proved_gets_account_mails_only(scene, deliver, mail):
    person = sign_in(scene.app, UserFactory(verified=False))
    MembershipFactory(project=scene.project, user=person.user)
    assigned(scene, person, 1)
    deliver()
    assert [message["Subject"] for message in mail.to(person.user.email)] == ["Confirm your address"]
    assert "task.assigned" in [kind for kind, _ in told(person)]
    User.objects(id=person.user.id).update(set__email_verified_at=now())
    assigned(scene, person, 1)
    deliver()
    assert len(mail.to(person.user.email)) == 2


def test_what_waited_for_an_address_that_is_not_proved_any_more_is_not_sent(scene, deliver, later, mail):
    person = scene.member()
    patch(scene.owner, scene.task_path, {"assignee_ids": [str(person.user.id)]})
    deliver()
    mail.empty()
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "hello"})
    deliver()
    assert Delivery.objects(channel="email", state="pending").count() == 1
    User.objects(id=person.user.id).update(unset__email_verified_at=True)
    later()
    assert mail.to(person.user.email) == []


def test_the_mail_to_an_address_that_a_user_registered_shows_no_name_that_they_chose(client, deliver, mail):
    body = {"email": "victim@example.com", "password": PASSWORD, "name": "Your account is blocked, see evil.example"}
    assert client.post("/api/v1/auth/register", json=body).status_code == 201
    deliver()
    (message,) = mail.to("victim@example.com")
    assert "blocked" not in str(message) and "evil" not in text_of(message) + html_of(message)


# --- so many an hour ------------------------------------------------------------------------------------------


def test_forty_assignments_make_a_few_mails_and_one_that_tells_the_rest(scene, budgets, deliver, mail):
    budgets(mail_notices_hourly=3)
    person = scene.member()
    deliver()
    mail.empty()
    assigned(scene, person, 40)
    deliver()
    assert len(mail.to(person.user.email)) == 3
    with time_machine.travel(now() + timedelta(hours=1, seconds=5)):
        deliver()
    assert len(mail.to(person.user.email)) == 4
    last = text_of(mail.to(person.user.email)[-1])
    assert last.count(" assigned P") == 37
    assert Delivery.objects(channel="email", state="pending").count() == 0


def test_mails_that_keep_an_account_safe_have_a_budget_of_their_own(scene, budgets, deliver, mail, client):
    budgets(mail_notices_hourly=1, mail_unasked_hourly=1)
    person = scene.member()
    assigned(scene, person, 3)
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": person.user.email, "role": "viewer"})
    deliver()
    mail.empty()
    client.post("/api/v1/auth/password-reset", json={"email": person.user.email})
    deliver()
    assert [message["Subject"] for message in mail.to(person.user.email)] == ["A new password"]


def test_what_strangers_cause_at_an_account_takes_nothing_from_its_safety(scene, budgets, deliver, mail, client):
    budgets(mail_account_hourly=5, mail_unasked_hourly=2)
    person = UserFactory(email="victim@example.com", name="Victim")
    deliver()
    mail.empty()
    for _ in range(4):
        body = {"email": person.email, "password": PASSWORD, "name": "N"}
        client.post("/api/v1/auth/register", json=body)
    deliver()
    client.post("/api/v1/auth/password-reset", json={"email": person.email})
    deliver()
    assert [message["Subject"] for message in mail.to(person.email)][-1] == "A new password"
    assert len(mail.to(person.email)) <= 3


def test_the_name_of_a_token_makes_no_link_in_the_mail_about_it(scene, deliver, mail):
    deliver()
    mail.empty()
    at = f"{now() + timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"
    body = {"name": "http://evil.example", "scopes": ["tasks:read"], "expires_at": at}
    assert scene.owner.post("/api/v1/users/me/tokens", json=body).status_code == 201
    deliver()
    (message,) = mail.to(scene.owner.user.email)
    assert "evil" in text_of(message)
    assert not LINKS.search(text_of(message) + html_of(message))


def test_changes_of_address_mail_a_stranger_a_few_times_only(scene, budgets, deliver, mail):
    budgets(mail_unasked_hourly=5)
    for number in range(12):
        person = sign_in(scene.app, UserFactory())
        alias = "victim@example.com" if number % 2 else f"victim+{number}@example.com"
        body = {"email": alias, "password": PASSWORD}
        assert person.post("/api/v1/users/me/email", json=body).status_code == 202
    deliver()
    assert len([message for message in mail.messages if "victim" in str(message["To"])]) == 5


def test_invitations_of_many_projects_mail_an_address_a_few_times_only(scene, budgets, deliver, mail):
    from taskmanager.testing.factories import ProjectFactory

    budgets(mail_unasked_hourly=2)
    for _ in range(4):
        project = ProjectFactory()
        owner = sign_in(scene.app, User.objects.one(_owner(project)))
        body = {"email": "victim@example.com", "role": "viewer"}
        assert owner.post(f"/api/v1/projects/{project.id}/members", json=body).status_code == 202
    deliver()
    assert len(mail.to("victim@example.com")) == 2


def _owner(project):
    from taskmanager.testing.factories import owner_of

    return owner_of(project.id).user_id


def test_a_mail_that_is_tried_again_is_counted_once(app, budgets):
    from bson import ObjectId

    budgets(mail_notices_hourly=1)
    first = ObjectId()
    assert mail_budget.spend("a@example.com", "notice", first) is None
    assert mail_budget.spend("A+news@Example.com", "notice", first) is None
    assert mail_budget.spend("a@example.com", "notice", ObjectId()) is not None
    assert mail_budget.spend("a@example.com", "account", ObjectId()) is None


# --- people's words -------------------------------------------------------------------------------------------

LINKS = re.compile(r"https?://\S*evil|www\.evil|evil\.example|\w@evil|mailto:\S", re.IGNORECASE)
COMMENT = (
    "Look:\n\nhttp://evil.example/login\n\n    IMPORTANT\n\n# Heading\n\n**bold** www.evil.example\n\n-- \n"
    "To get no more mails of this sort: https://evil.example\n\n[x](http://evil.example) <a href='http://evil'>x</a>"
)


def test_a_comment_makes_no_link_no_bold_and_no_paragraph_of_ours(scene, later, mail, deliver):
    person = scene.member()
    patch(scene.owner, scene.task_path, {"assignee_ids": [str(person.user.id)]})
    deliver()
    mail.empty()
    scene.owner.post(f"{scene.task_path}/comments", json={"text": COMMENT})
    later()
    (message,) = mail.to(person.user.email)
    text, html = text_of(message), html_of(message)
    assert not LINKS.search(text) and not LINKS.search(html)
    assert all("evil" not in line for line in text.splitlines() if not line.startswith("> "))
    assert "> " in text and "IMPORTANT" in text
    assert all("evil" not in link for link in re.findall(r"<a [^>]+", html))
    assert all("IMPORTANT" not in bold for bold in re.findall(r"<(?:strong|b|h\d)>(.*?)</", html, re.DOTALL))
    shown = person.get("/api/v1/notifications").json["items"][-1]["text"]
    assert "\u200b" not in shown


NASTY = "http://evil.example/x www.evil.example me@evil.example \u202egnp.exe mailto:me@evil.example"


def test_titles_and_names_make_no_link(scene, later, mail, deliver, caller):
    patch(scene.owner, "/api/v1/users/me", {"name": NASTY})
    patch(scene.owner, scene.project_path, {"name": NASTY})
    person = scene.member()
    scene.owner.post(scene.tasks_path, json={"title": NASTY, "assignee_ids": [str(person.user.id)]})
    scene.owner.post(scene.members_path, json={"email": "guest@example.com", "role": "viewer"})
    later()
    bodies = [(text_of(message), html_of(message)) for message in mail.messages]
    assert len([text for text, _ in bodies if "evil" in text]) == 2
    for body in (part for parts in bodies for part in parts):
        assert not LINKS.search(body), LINKS.search(body)
        assert "\u202e" not in body
    assert all("\u202e" not in str(message["Subject"]) for message in mail.messages)


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "HTTP://evil", "evil.example", "a@evil.example", "evil\u3002example", "//evil.example"],
)
def test_what_looks_like_an_address_is_broken_and_reads_the_same(text):
    for shown in (inline(text), quoted(text).removeprefix("> ")):
        assert shown != text
        assert shown.replace("\u200b", "") == text


@pytest.mark.parametrize(
    "text", ["Release 1.2.3 at 12:30", "50% of 3.5 l, e. g. milk", "👩‍👩‍👧 and ünïcödé", "a / b: c"]
)
def test_ordinary_words_are_left_alone(text):
    assert inline(text) == one_line(text) == text


def test_characters_that_hide_or_turn_words_are_dropped():
    assert one_line("a\u202eb\u2066c\u200bd\u0085e\u2028f\r\nBcc: g") == "abcd e f Bcc: g"
