"""The pages in a real browser: the ways from a mail, and what a reader needs of each page, in light and dark."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User
from taskmanager.testing.factories import MembershipFactory, UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.pages.browsing import link_in
from tests.scene import patch, scene

__all__ = ["scene"]

NEW = "an entirely new password"
# What is wrong on a page for those who cannot see it well: texts of little contrast (WCAG 2.2, 1.4.3), fields
# without a label, not exactly one h1, no language, things to press that are too small (2.5.8).
_WRONG = """() => {
    const wrong = [];
    const rgba = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
    const light = ([r, g, b]) => {
        const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const ground = e => {
        for (; e; e = e.parentElement) {
            const color = rgba(getComputedStyle(e).backgroundColor);
            if (color[3] == 1) return color;
        }
        return [255, 255, 255, 1];
    };
    for (const e of document.body.querySelectorAll("*")) {
        const own = [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
        if (!own && e.tagName != "INPUT" || e.type == "hidden") continue;
        const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)}: ${e.textContent.trim()}`);
    }
    for (const e of document.querySelectorAll("input:not([type=hidden])"))
        if (!e.labels.length) wrong.push(`no label: ${e.name}`);
    for (const e of document.querySelectorAll("button, input:not([type=hidden])"))
        if (e.getBoundingClientRect().height < 24) wrong.push(`small: ${e.textContent || e.name}`);
    if (document.querySelectorAll("h1").length != 1) wrong.push("not one h1");
    if (!document.documentElement.lang) wrong.push("no language");
    if (document.documentElement.scrollWidth > innerWidth) wrong.push("wider than the window");
    return wrong;
}"""


@pytest.fixture
def look(watched, tmp_path):
    """Looks at the page in light and dark, on a wide and a narrow screen; keeps a picture of each."""

    def look(name: str) -> None:
        for scheme, width in (("light", 1000), ("dark", 1000), ("dark", 340)):
            watched.page.set_viewport_size({"width": width, "height": 900})
            watched.page.emulate_media(color_scheme=scheme)
            watched.page.screenshot(path=Path(tmp_path) / f"{name}-{scheme}-{width}.png", full_page=True)
            assert watched.page.evaluate(_WRONG) == [], name
        watched.page.set_viewport_size({"width": 1000, "height": 900})

    yield look
    refused = ("status of 401", "status of 404", "status of 422")  # Chromium logs them, as the tests cause them
    assert [problem for problem in watched.problems if not any(status in problem for status in refused)] == []


def open_link(watched, link):
    parts = urlsplit(link)
    watched.page.goto(f"{parts.path}?{parts.query}")


def log_in(page, email, password=PASSWORD):
    page.get_by_label("Mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")


def test_from_an_assignment_by_a_login_to_the_completed_task(scene, watched, server, look, deliver, mail):
    page, user = watched.page, UserFactory()
    MembershipFactory(project=scene.project, user=user, role="member")
    changes = {"assignee_ids": [str(user.id)], "description": "One\n  two", "due": "2026-12-24", "priority": "high"}
    patch(scene.owner, scene.task_path, changes)
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "See **this**, [there](https://example.com):\n\n> x"})
    deliver()
    open_link(watched, link_in(mail.to(user.email)[0]))
    look("login")
    log_in(page, user.email, "not this one")
    page.get_by_role("alert").wait_for()
    look("login-refused")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/pages/tasks/{scene.task.id}")
    look("task")
    page.get_by_role("button", name="Complete the task").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.get_by_text("Completed", exact=True).wait_for()
    look("task-completed")
    assert Task.objects.get(id=scene.task.id).status_group == "done"
    page.get_by_role("link", name=scene.project.name).click()
    look("project")
    page.get_by_role("link", name="Task Manager").click()
    look("start")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/pages/login?**")
    assert watched.hosts == {urlsplit(server.url).netloc}


def test_from_an_invitation_by_a_registration_to_the_project(scene, watched, server, look, deliver, mail):
    page, guest = watched.page, "guest@example.com"
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": guest, "role": "member"})
    deliver()
    open_link(watched, link_in(mail.to(guest)[0]))
    look("invitation")
    page.get_by_role("link", name="Make an account").click()
    assert page.get_by_label("Mail address").input_value() == guest
    page.get_by_label("Name").fill("Guest")
    page.get_by_label("New password").fill(NEW)
    look("register")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("button", name="Accept the invitation").wait_for()
    look("invitation-open")
    page.get_by_role("button", name="Accept the invitation").click()
    page.wait_for_url(f"**/pages/projects/{scene.project.id}")
    assert page.get_by_role("heading", level=1).inner_text() == scene.project.name
    assert watched.hosts == {urlsplit(server.url).netloc}


def test_a_confirmation_a_new_password_and_no_more_mails(scene, watched, look, client, deliver, mail):
    page, user = watched.page, UserFactory(verified=False)
    client.post("/api/v1/auth/verify-email/request", json={"email": user.email})
    deliver()
    open_link(watched, link_in(mail.to(user.email)[-1]))
    look("confirm")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Your address is confirmed.").wait_for()
    look("confirmed")
    assert User.objects.get(id=user.id).email_verified_at
    page.goto("/pages/forgotten-password")
    page.get_by_label("Mail address").fill(user.email)
    look("forgotten")
    page.get_by_role("button", name="Send the mail").click()
    page.get_by_text("a mail is on its way").wait_for()
    deliver()
    link = link_in(mail.to(user.email)[-1])
    open_link(watched, link)
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Set the password").click()
    page.locator("#password-wrong").wait_for()
    look("reset-refused")
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_text("Your new password is set").wait_for()
    open_link(watched, link)
    look("used")
    MembershipFactory(project=scene.project, user=user, role="member")
    patch(scene.owner, scene.task_path, {"assignee_ids": [str(user.id)]})
    deliver()
    message = mail.to(user.email)[-1]
    html = message.get_body(("html",)).get_content()
    page.goto(message["List-Unsubscribe"].strip("<>").replace("http://127.0.0.1:8000/api/v1/notifications", "/pages"))
    look("unsubscribe")
    page.get_by_role("button", name="Unsubscribe").click()
    page.get_by_text("You will get no more mails").wait_for()
    page.goto("/pages/nothing")
    look("not-found")
    page.goto("about:blank")
    page.set_content(html.replace("<p style", "<h1>A mail</h1><p style", 1))
    look("mail")
