"""The Swagger page in a real browser: offline, under its policy, from registering to a created project."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.web_server import WebServer, server  # noqa: F401 a fixture

playwright = pytest.importorskip("playwright.sync_api", reason="the browser test needs playwright")

pytestmark = pytest.mark.timeout(120)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Page:
    """The page, with what it asked for and what it complained of."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def operation(self, operation_id: str) -> Any:
        """The block of an operation, opened, ready to be tried."""
        block = self.page.locator(f"[id$='-{operation_id}'].opblock")
        block.locator(".opblock-summary-control").click()
        block.locator("button.execute").wait_for()
        return block

    def execute(self, operation_id: str, body: str) -> tuple[str, str]:
        """Try an operation with a body; answers status and body of what came back."""
        block = self.operation(operation_id)
        block.locator("textarea.body-param__text").fill(body)
        block.locator("button.execute").click()
        live = block.locator(".live-responses-table .response")
        live.wait_for()
        return live.locator(".response-col_status").inner_text(), live.locator(".response-col_description").inner_text()


@pytest.fixture
def page(server: WebServer) -> Iterator[Page]:  # noqa: F811 the fixture
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = Page(browser.new_page(viewport={"width": 1280, "height": 1600}))
        page.page.goto(f"{server.url}/docs")
        page.page.locator(".opblock").first.wait_for()
        yield page
        browser.close()


def test_it_needs_nobody_else_and_nothing_is_refused(page: Page, server: WebServer):  # noqa: F811
    assert [url for url in page.requested if not url.startswith((server.url, "data:", "blob:"))] == []
    assert page.complaints == []


def test_log_in_authorize_and_try_it_out(page: Page, tmp_path):
    account = '{"email": "swagger@example.com", "password": "correct horse"'
    status, _ = page.execute("register", account + ', "name": "Swagger"}')
    assert status.startswith("201")
    status, answer = page.execute("login", account + "}")
    assert status.startswith("200")
    _authorize(page, answer)
    status, answer = page.execute("create_project", '{"key": "SWAG", "name": "From the page"}')
    page.page.screenshot(path=tmp_path / "swagger.png", full_page=False)
    assert status.startswith("201"), answer
    assert '"key": "SWAG"' in answer
    assert page.complaints == []


def _authorize(page: Page, answer: str) -> None:
    token = answer.split('"access_token": "')[1].split('"')[0]
    page.page.locator("button.authorize").first.click()
    dialog = page.page.locator(".modal-ux")
    dialog.locator("input[type=text], input[type=password]").first.fill(token)
    dialog.locator("button.authorize").click()
    dialog.locator("button.btn-done").click()
