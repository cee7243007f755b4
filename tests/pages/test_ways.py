"""The ways of people: from the link in a mail to what it is about."""

from datetime import timedelta

import pyotp
import time_machine

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Preferences
from taskmanager.features.projects.models import Membership
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import Session, User
from taskmanager.testing.factories import UserFactory, task_row
from taskmanager.testing.factories.things import PASSWORD
from taskmanager.testing.mailbox import text_of
from tests.pages.browsing import Browser, link_in
from tests.scene import patch

V1 = "/api/v1"
NEW = "an entirely new password"


def assign(scene, deliver, mail, user):
    assert patch(scene.owner, scene.task_path, {"assignee_ids": [str(user.id)]}).status_code == 200
    deliver()
    return link_in(mail.to(user.email)[-1])


def test_from_an_assignment_to_the_completed_task(scene, browser, deliver, mail):
    user = scene.member().user
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "See **this** <script>alert(1)</script>"})
    link = assign(scene, deliver, mail, user)
    browser.open(link)
    assert (browser.status, browser.path) == (200, "/pages/login")
    browser.send("Log in", email=user.email, password="not this one")
    assert browser.status == 401
    assert "The address or the password is wrong." in browser.text
    assert f'value="{user.email}"' in browser.source
    browser.send("Log in", email=user.email, password=PASSWORD)
    assert browser.path == f"/pages/tasks/{scene.task.id}"
    assert "Write the notes" in browser.text
    assert "<strong>this</strong> &lt;script&gt;" in browser.source
    browser.send("Complete the task")
    assert (browser.status, browser.path) == (200, f"/pages/tasks/{scene.task.id}")
    assert Task.objects.get(id=scene.task.id).status_group == "done"
    assert "Complete the task" not in browser.text
    browser.send("Log out")
    assert browser.open(link).path == "/pages/login"
    assert Session.objects(user_id=user.id, ended_because="logout").count() == 1


def test_descriptions_are_formatted_and_below_the_heading_of_the_page(scene, log_in):
    text = "# Steps\n\n1. **One** <img src=x onerror=alert(1)>\n2. [two](https://example.com) [bad](javascript:x)"
    patch(scene.owner, scene.task_path, {"description": text})
    patch(scene.owner, scene.project_path, {"description": "| a | b |\n|---|---|\n| 1 | 2 |"})
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "# Mine"})
    browser = log_in(scene.owner.user).open(f"/pages/tasks/{scene.task.id}")
    assert "<h3>Steps</h3>" in browser.source and "<li><strong>One</strong> &lt;img" in browser.source
    assert 'href="https://example.com" rel="nofollow noopener noreferrer"' in browser.source
    assert "<h3>Mine</h3>" in browser.source and browser.source.count("<h1") == 1
    assert "<img" not in browser.source and 'href="javascript' not in browser.source
    assert "<td>1</td>" in browser.open(f"/pages/projects/{scene.project.id}").source
    for characters, shown in ((5_000, "<p><strong>x</strong>"), (5_001, '<div class="written">**x**&lt;')):
        patch(scene.owner, scene.task_path, {"description": "**x**<".ljust(characters, "y")})
        assert shown in browser.open(f"/pages/tasks/{scene.task.id}").source, characters


def test_the_session_of_a_login_here_ends_with_its_cookie(scene, log_in):
    user = scene.member().user
    browser = log_in(user)
    [session] = Session.objects(user_id=user.id).order_by("-created_at")[:1]
    assert timedelta(hours=11) < session.expires_at - now() <= timedelta(hours=12)
    with time_machine.travel(now() + timedelta(hours=12, minutes=1), tick=True):
        assert browser.open("/pages").path == "/pages/login"
        assert session.id not in Session.objects.live().filter(user_id=user.id).scalar("id")


def test_a_task_that_changed_meanwhile_is_shown_again(scene, log_in):
    member = scene.member()
    browser = log_in(member.user).open(f"/pages/tasks/{scene.task.id}")
    patch(scene.owner, scene.task_path, {"title": "Write other notes"})
    browser.send("Complete the task")
    assert browser.status == 412
    assert "It was changed meanwhile" in browser.text and "Write other notes" in browser.text
    assert browser.send("Complete the task").status == 200
    assert Task.objects.get(id=scene.task.id).status_group == "done"


def test_who_may_only_look_gets_no_button_and_a_stranger_no_page(scene, log_in):
    path = f"/pages/tasks/{scene.task.id}"
    viewer = log_in(scene.member("viewer").user).open(path)
    assert viewer.status == 200 and "Complete the task" not in viewer.text
    for address in (path, f"/pages/projects/{scene.project.id}"):
        stranger = log_in(UserFactory()).open(address)
        assert stranger.status == 404
        assert "Write the notes" not in stranger.text and "you may not see it" in stranger.text


def test_a_project_shows_its_open_tasks_however_many_newer_ones_are_done(scene, log_in):
    Task.objects.insert([task_row(scene.project.id, status="done", title="Old news") for _ in range(101)])
    page = log_in(scene.owner.user).open(f"/pages/projects/{scene.project.id}")
    assert "Write the notes" in page.text and "Old news" not in page.text


def test_the_second_factor_is_asked_for(scene, browser):
    member = scene.member()
    secret = member.post(f"{V1}/users/me/totp", json={"password": PASSWORD}).json["secret"]
    code = pyotp.TOTP(secret).now()
    codes = member.post(f"{V1}/users/me/totp/confirm", json={"code": code}).json["recovery_codes"]
    browser.open(f"/pages/tasks/{scene.task.id}").send("Log in", email=member.user.email, password=PASSWORD)
    assert "Second factor" in browser.text
    assert browser.open(f"/pages/tasks/{scene.task.id}").path == "/pages/login"
    browser.send("Log in", email=member.user.email, password=PASSWORD)
    assert browser.send("Log in", code="000000").status == 401
    assert "The code is wrong" in browser.text
    assert browser.send("Log in", code=codes[0]).path == f"/pages/tasks/{scene.task.id}"


def test_from_an_invitation_by_a_registration_to_the_project(scene, browser, deliver, mail):
    guest = "guest@example.com"
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": guest, "role": "viewer"})
    deliver()
    link = link_in(mail.to(guest)[-1])
    for _ in range(3):
        browser.open(link)
    assert browser.status == 200 and scene.project.name in browser.text
    browser.follow("Make an account")
    browser.send("Make the account", email=guest, name="Guest", password="short")
    assert browser.status == 422 and "8 to 128 characters" in browser.text
    browser.send("Make the account", email=guest, name="Guest", password=NEW)
    browser.send("Accept the invitation")
    assert (browser.status, browser.path) == (200, f"/pages/projects/{scene.project.id}")
    assert "Viewer" in browser.text and "Write the notes" in browser.text
    member = User.objects.get(email=guest)
    assert Membership.objects.get(user_id=member.id).role == "viewer" and member.email_verified_at
    assert browser.open(link).status == 404
    assert "This invitation is not open" in browser.text


def test_where_sign_up_is_closed_nothing_promises_an_account(scene, other_app, deliver, mail):
    browser = Browser(other_app(signup="closed").test_client())
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": "guest@example.com", "role": "viewer"})
    deliver()
    message = mail.to("guest@example.com")[-1]
    assert "you can make one" not in text_of(message) and "ask an administrator" in text_of(message)
    for address in (link_in(message), "/pages/login", "/pages/register"):
        browser.open(address)
        assert browser.status == 200 and "/pages/register" not in browser.source and "make one" not in browser.text
    assert "made by the administrators" in browser.text and "<input" not in browser.source


def test_an_invitation_of_another_address_is_not_accepted(scene, log_in, deliver, mail, browser):
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": "guest@example.com", "role": "viewer"})
    deliver()
    link = link_in(mail.to("guest@example.com")[-1])
    other = log_in(UserFactory()).open(link)
    assert "Accept the invitation" not in other.text
    assert other.send("Log in with the other account").path == "/pages/login"
    browser.open(link).send("Refuse it")
    assert "The invitation is refused" in browser.text
    assert browser.open(link).status == 404


def test_an_invitation_of_an_account_is_accepted_after_a_login(scene, browser, deliver, mail):
    user = UserFactory()
    scene.owner.post(f"{scene.members_path}", json={"user_id": str(user.id), "role": "member"})
    deliver()
    browser.open(link_in(mail.to(user.email)[-1])).send("Log in", email=user.email, password=PASSWORD)
    assert browser.send("Accept the invitation").path == f"/pages/projects/{scene.project.id}"


def test_an_address_is_confirmed_by_a_button_and_not_by_the_link(client, browser, deliver, mail):
    client.post(f"{V1}/auth/register", json={"email": "ada@example.com", "password": NEW, "name": "Ada"})
    deliver()
    link = link_in(mail.to("ada@example.com")[-1])
    for _ in range(2):
        browser.open(link)
        assert User.objects.get(email="ada@example.com").email_verified_at is None
    assert "Your address is confirmed." in browser.send("Confirm").text
    assert User.objects.get(email="ada@example.com").email_verified_at
    assert browser.open(link).status == 404
    browser.follow("Request another mail").send("Send the mail", email="ada@example.com")
    assert "a mail is on its way" in browser.text


def test_a_new_password_is_set(app, browser, deliver, mail):
    user = UserFactory()
    browser.open("/pages/login").follow("Set a new password").send("Send the mail", email=user.email)
    deliver()
    link = link_in(mail.to(user.email)[-1])
    browser.open(link).send("Set the password", password="password1")
    assert browser.status == 422 and "attackers try first" in browser.text
    assert "Your new password is set" in browser.send("Set the password", password=NEW).text
    browser.follow("Log in").send("Log in", email=user.email, password=NEW)
    assert browser.path == "/pages"
    used = Browser(app.test_client()).open(link)
    assert used.status == 404 and "This link is not valid any more" in used.text


def test_both_addresses_confirm_a_change(scene, browser, deliver, mail):
    user = scene.owner.user
    body = {"email": "new@example.com", "password": PASSWORD}
    assert scene.owner.post(f"{V1}/users/me/email", json=body).status_code == 202
    deliver()
    first = browser.open(link_in(mail.to("new@example.com")[-1])).send("Confirm")
    assert "the mail to the other address" in first.text
    assert "has its new address" in browser.open(link_in(mail.to(user.email)[-1])).send("Confirm").text
    assert User.objects.get(id=user.id).email == "new@example.com"


def test_mails_are_turned_off(scene, browser, deliver, mail):
    user = scene.member().user
    assign(scene, deliver, mail, user)
    message = mail.to(user.email)[-1]
    header = message["List-Unsubscribe"].strip("<>")
    answer = browser.client.get(header.removeprefix("http://127.0.0.1:8000"))
    assert answer.status_code == 303
    browser.open(answer.headers["Location"])
    assert browser.path == "/pages/unsubscribe" and "A task was assigned to you" in browser.text
    assert not Preferences.objects(user_id=user.id).first()
    assert "You will get no more mails" in browser.send("Unsubscribe").text
    assert Preferences.objects.get(user_id=user.id).chosen == ["-email task.assigned"]
    assert browser.open("/pages/unsubscribe?token=tu_x").status == 404
