"""`make axe`: axe-core on every page, in light and dark, 1280 and 380 pixels wide: WCAG 2.2 AA and its best practices.

A page that is added to the service, and not looked at here, fails too.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from flask import Flask

from taskmanager.api import guide
from taskmanager.ops.blueprint import _MENU
from taskmanager.testing.factories import UserFactory
from tests.browser.test_pages import log_in
from tests.pages.browsing import link_in
from tests.scene import patch, scene
from tests.web_server import WebServer

__all__ = ["scene"]

pytestmark = pytest.mark.timeout(900)
AXE = Path(".data-browser/node_modules/axe-core/axe.min.js")
PICTURES = Path(".data-pictures/axe")
SCREENS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 380)]
PUBLIC = [
    *("/", "/docs", "/docs/errors", "/docs/errors/task.blocked", "/pages/nothing", "/ops/login"),
    *("/pages/login", "/pages/register", "/pages/forgotten-password", "/pages/confirm/request"),
    *("/pages/confirm?token=x", "/pages/reset?token=x", "/pages/unsubscribe?token=x", "/pages/address-change?token=x"),
]
GUIDE = ["", "api/", "clients/", "tasks/", "operations/", "architecture/", "libraries/", "adr/", "CHANGELOG/"]
# These show no page of their own: files, streams, and redirections to a login provider.
NO_PAGE = ("/assets/", "/openapi-3.0.json", "/stream", "/login/provider", "/login/x/")
# Violations, each with its element and why; and whether the page is wider than the screen.
# The theme of the guide makes a <nav> of the button of each sample of code.
_LOOK = """async () => {
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const known = (id, { target }) => id === "landmark-unique" && target.join().endsWith(".md-code__nav");
    const { violations } = await axe.run(document, { runOnly, resultTypes: ["violations"] });
    const told = (id, { target, failureSummary }) =>
        `${id}: ${target.join(" ")}: ${failureSummary.split("\\n").slice(1).join(" ").trim()}`;
    const wrong = violations.flatMap(({ id, nodes }) =>
        nodes.filter(one => !known(id, one)).slice(0, 3).map(one => told(id, one)));
    if (document.documentElement.scrollWidth > innerWidth) wrong.push("wider than the screen");
    return wrong;
}"""


class Looker:
    """Looks at pages on one screen; a picture of each is kept."""

    def __init__(self, page: Any, screen: str) -> None:
        self.page, self.screen = page, screen
        self.seen: list[str] = []
        self.wrong: list[str] = []
        self.axe = AXE.read_text(encoding="utf-8")

    def look(self, path: str) -> None:
        self.page.goto(path)
        if path == "/docs":
            self.page.wait_for_selector(".opblock-tag")
        self.seen.append(path)
        PICTURES.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"/[0-9a-f]{24}", "", urlsplit(path).path).strip("/").replace("/", "-") or "front"
        self.page.screenshot(path=PICTURES / f"{name}-{self.screen}.png")
        self.page.evaluate(self.axe)
        self.wrong += [f"{path} ({self.screen}): {one}" for one in self.page.evaluate(_LOOK)]


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}-{screen[1]}")
def looker(browser: Any, server: WebServer, request: pytest.FixtureRequest) -> Iterator[Looker]:
    scheme, width = request.param
    context = browser.new_context(
        base_url=server.url, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    yield Looker(context.new_page(), f"{scheme}-{width}")
    context.close()


def test_no_page_has_a_violation(app: Flask, looker: Looker, scene: Any, deliver: Callable[[], int], mail: Any) -> None:
    user, guest, admin = scene.owner.user, "guest@example.com", UserFactory(role="admin")
    text = "# Notes\n\n* one\n* [a link](https://example.org)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n    code"
    patch(scene.owner, scene.task_path, {"description": text, "due": "2026-12-24", "priority": "high"})
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hello **you**"})
    scene.owner.post(f"{scene.project_path}/invitations", json={"email": guest, "role": "member"})
    deliver()
    parts = urlsplit(link_in(mail.to(guest)[0]))
    for path in [*PUBLIC, f"{parts.path}?{parts.query}", *(f"{guide.PATH}/{name}" for name in _guide())]:
        looker.look(path)
    looker.page.goto("/pages/login")
    log_in(looker.page, user.email)
    looker.page.wait_for_url("**/pages")
    project = f"/pages/projects/{scene.project.id}"
    for path in ("/pages", project, f"{project}/board", f"/pages/tasks/{scene.task.id}"):
        looker.look(path)
    looker.page.goto("/ops")
    log_in(looker.page, admin.email)
    looker.page.wait_for_url("**/ops")
    for path in (*(path for path, _ in _MENU), f"/users/{user.id}"):
        looker.look(f"/ops{path}")
    assert looker.wrong == [], "\n".join(looker.wrong)
    assert _left_out(app, looker.seen) == []
    print(f"{looker.screen}: {len(looker.seen)} pages, no violation")


def _guide() -> list[str]:
    """Return pages of the guide, when it is built."""
    if not guide.ARCHIVE.is_file():
        return [""]
    with ZipFile(guide.ARCHIVE) as archive:
        return [name for name in GUIDE if f"{name}index.html" in archive.namelist()]


def _left_out(app: Flask, seen: list[str]) -> list[str]:
    """Return the routes of pages that were not looked at."""
    routes = app.url_map.bind("localhost")
    known = {routes.match(urlsplit(path).path)[0] for path in seen if path != "/pages/nothing"}
    return [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/pages", "/ops", "/docs"))
        and "GET" in (rule.methods or ())
        and not any(part in rule.rule for part in NO_PAGE)
        and rule.endpoint not in known
    ]
