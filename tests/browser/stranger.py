"""`make stranger`: the first hour of a stranger in real Chromium, on a whole service with real mails.

An application on another origin uses the API and hears of changes; the page at /docs is used by hand; a person without
an account comes from the mail of an invitation to the project, and from that of an assignment to the completed task.
The pictures are in `.data-pictures`, in light and dark.
"""

import re
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from taskmanager.core.configuration.settings import Settings
from taskmanager.testing.mailbox import text_of
from tests.browser.conftest import browser, elsewhere
from tests.browser.test_cors import LISTEN
from tests.browser.test_swagger import log_in, try_it_out
from tests.faults.conftest import running
from tests.faults.stack import Stack
from tests.faults.test_stream import answers, live

__all__ = ["browser", "elsewhere"]

pytestmark = pytest.mark.timeout(900)
PICTURES = Path(".data-pictures")
PATIENCE = 120
ADA = {"email": "ada@example.com", "password": "correct horse battery", "name": "Ada"}
GRACE = {"email": "grace@example.com", "password": "an entirely new password", "name": "Grace"}
# A request of the application; returns status, body, and the headers that its scripts may read.
SEND = """async ([api, method, path, body, headers]) => {
    const options = {method, headers: {"Content-Type": "application/json", ...headers}};
    const answer = await fetch(api + path, body === null ? options : {...options, body: JSON.stringify(body)});
    const text = await answer.text();
    return {status: answer.status, json: text ? JSON.parse(text) : null, etag: answer.headers.get("ETag")};
}"""


class Application:
    """A page on another origin, whose scripts use the API."""

    def __init__(self, page: Any, api: str) -> None:
        self.page, self.api, self.token = page, api, ""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.page.evaluate(SEND, [self.api, method, path, body, headers])


@pytest.fixture
def service(tmp_path: Path, settings: Settings, elsewhere: int) -> Iterator[Stack]:
    changes = {"cors_origins": f"http://localhost:{elsewhere}", "direct_membership": False}
    with running(tmp_path, settings, **changes) as stack:
        stack.start("web", "relay", "worker", "stream")
        for address in (f"{stack.url}/health/ready", live(stack)):
            stack.wait(lambda address=address: answers(address), address)
        yield stack


def test_a_stranger_gets_all_the_way(service: Stack, browser: Any, elsewhere: int) -> None:
    started = time.monotonic()
    context = browser.new_context(base_url=service.url, viewport={"width": 1200, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    application = Application(context.new_page(), f"{service.url}/api/v1")
    _another_origin(application, elsewhere)
    _told(started, "a page on another origin logged in, created, changed, and heard of it")
    project = _by_hand(context.new_page())
    _told(started, "the page at /docs: logged in, created, changed with If-Match")
    guest = browser.new_context(base_url=service.url, viewport={"width": 900, "height": 700}, locale="en-GB")
    guest.set_default_timeout(PATIENCE * 1000)
    page = guest.new_page()
    _invitation(service, application, project, page)
    _told(started, "a mail of an invitation: registered, accepted, in the project")
    _assignment(service, application, project, page)
    _told(started, "a mail of an assignment: the task, completed; the other origin heard of it")
    guest.close()
    context.close()


def _another_origin(application: Application, port: int) -> None:
    application.page.goto(f"http://localhost:{port}/")
    assert application.send("POST", "/auth/register", ADA)["status"] == 201
    credentials = {name: ADA[name] for name in ("email", "password")}
    application.token = application.send("POST", "/auth/login", credentials)["json"]["access_token"]
    project = application.send("POST", "/projects", {"key": "WEB", "name": "From a page"})["json"]
    task = application.send("POST", f"/projects/{project['id']}/tasks", {"title": "First"})
    application.page.evaluate(LISTEN, [application.api, application.token])
    path = f"/tasks/{task['json']['id']}"
    changed = application.send("PATCH", path, {"title": "Second"}, **{"If-Match": task["etag"]})
    assert changed["status"] == 200
    assert application.send("PATCH", path, {"title": "Third"}, **{"If-Match": task["etag"]})["status"] == 412
    assert application.send("GET", path, **{"If-None-Match": changed["etag"]})["status"] == 304
    _heard(application, "Second")


def _by_hand(page: Any) -> str:
    page.goto("/docs")
    page.wait_for_selector(".opblock-tag")
    log_in(page, ADA)
    status, project = try_it_out(page, "Projects", "create_project")
    assert status == 201
    block = page.locator("#operations-Projects-update_project")
    block.locator(".opblock-summary-control").click()
    block.get_by_placeholder("project_id").fill(project["id"])
    block.locator("textarea.body-param__text").fill('{"name": "Our application"}')
    with page.expect_response(lambda response: response.request.method == "PATCH") as answered:
        block.locator("button.execute").click()
    assert answered.value.status == 200
    _pictures(page, "docs")
    return str(project["id"])


def _invitation(service: Stack, application: Application, project: str, page: Any) -> None:
    invited = application.send("POST", f"/projects/{project}/members", {"email": GRACE["email"], "role": "member"})
    assert invited["status"] == 202
    page.goto(_link(service, "/pages/invitations/"))
    _pictures(page, "invitation")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Name").fill(GRACE["name"])
    page.get_by_label("New password").fill(GRACE["password"])
    _pictures(page, "register")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("button", name="Accept the invitation").click()
    page.wait_for_url(f"**/pages/projects/{project}")
    assert page.get_by_role("heading", level=1).inner_text() == "Our application"
    _pictures(page, "project")
    page.get_by_role("button", name="Log out").click()


def _assignment(service: Stack, application: Application, project: str, page: Any) -> None:
    [grace] = [
        one["user_id"]
        for one in application.send("GET", f"/projects/{project}/members")["json"]["items"]
        if one["role"] == "member"
    ]
    body = {
        "title": "Write the release notes",
        "description": "Name **every** change:\n\n1. API\n2. mails",
        "assignee_ids": [grace],
    }
    task = application.send("POST", f"/projects/{project}/tasks", body)["json"]
    page.goto(_link(service, f"/pages/tasks/{task['id']}"))
    page.get_by_label("Mail address").fill(GRACE["email"])
    page.get_by_label("Password", exact=True).fill(GRACE["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/pages/tasks/{task['id']}")
    assert page.locator("strong", has_text="every").count() == 1
    _pictures(page, "task")
    page.get_by_role("button", name="Complete the task").click()
    page.get_by_text("Completed", exact=True).wait_for()
    assert application.send("GET", f"/tasks/{task['id']}")["json"]["status"] == "done"
    application.page.wait_for_function(
        "id => heard.some(([, data]) => data.objects?.tasks?.some(task => task.id === id && task.completed_at))",
        arg=task["id"],
    )


def _heard(application: Application, title: str) -> None:
    application.page.wait_for_function(
        "title => heard.some(([, data]) => data.objects?.tasks?.some(task => task.title === title))", arg=title
    )


def _link(service: Stack, path: str) -> str:
    """Wait for a mail to Grace with a link to a page, and return the link on this service."""
    found: list[str] = []

    def arrived() -> bool:
        mails = [
            message_from_bytes(one.read_bytes(), policy=policy.default) for one in service.mails.glob("[0-9]*.eml")
        ]
        texts = [text_of(mail) for mail in mails if GRACE["email"] in str(mail["To"])]
        found[:] = [link for text in texts for link in re.findall(r"https?://\S+", text) if path in link]
        return bool(found)

    service.wait(arrived, f"a mail with a link to {path}")
    parts = urlsplit(found[0])
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _pictures(page: Any, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=PICTURES / f"stranger-{name}-{scheme}.png")
    page.emulate_media(color_scheme="light")


def _told(started: float, what: str) -> None:
    print(f"{time.monotonic() - started:5.1f} s  {what}")
