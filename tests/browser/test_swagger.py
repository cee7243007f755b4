"""The Swagger page at /docs, used as a newcomer uses it: register, log in, authorize, make a project."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

# Opens every eighth tag and its first operation, reads it, closes both; answers [id, text] of each.
_OPEN_EACH = """async first => {
    const read = [];
    const settled = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
    const sections = [...document.querySelectorAll(".opblock-tag-section")];
    for (const section of sections.filter((_, place) => place % 8 == first)) {
        section.querySelector(".opblock-tag").click();
        for (let tries = 0; tries < 200 && !section.querySelector(".opblock"); tries++) await settled();
        const block = section.querySelector(".opblock");
        block.querySelector(".opblock-summary-control").click();
        for (let tries = 0; tries < 200 && !block.textContent.includes("Responses"); tries++) await settled();
        read.push([block.id, block.textContent]);
        block.querySelector(".opblock-summary-control").click();
        await settled();
        section.querySelector(".opblock-tag").click();
        await settled();
    }
    return read;
}"""
ACCOUNT = {"email": "ada@example.com", "password": "correct horse battery"}


@pytest.fixture
def docs(watched: Any) -> Any:
    """The page, when it has shown its tags."""
    watched.page.goto("/docs")
    watched.page.wait_for_selector(".opblock-tag")
    return watched


def _try_it_out(page: Any, tag: str, operation: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Open an operation and execute it, with the body that the page proposes unless one is given."""
    block = page.locator(f"#operations-{tag}-{operation}")
    if not block.count():
        page.locator(f"#operations-tag-{tag}").click()
    block.locator(".opblock-summary-control").click()
    if body is not None:
        block.locator("textarea.body-param__text").fill(json.dumps(body))
    with page.expect_response(lambda response: response.request.method == "POST") as answered:
        block.locator("button.execute").click()
    block.locator(".live-responses-table .response").wait_for()
    shown = block.locator(".live-responses-table .response .response-col_status").inner_text()
    assert shown.startswith(str(answered.value.status))
    return answered.value.status, answered.value.json()


def _authorize(page: Any, token: str) -> None:
    page.locator(".auth-wrapper .btn.authorize").click()
    page.locator(".auth-container input").fill(token)
    page.locator(".auth-btn-wrapper button[type=submit]").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def test_a_newcomer_gets_from_the_page_to_a_project(docs, server, tmp_path):
    page = docs.page
    assert _try_it_out(page, "auth", "register", ACCOUNT | {"name": "Ada"})[0] == 201
    status, tokens = _try_it_out(page, "auth", "login", ACCOUNT)
    assert status == 200
    _authorize(page, tokens["access_token"])
    status, project = _try_it_out(page, "projects", "create_project")
    assert (status, project["key"]) == (201, "APP")
    page.screenshot(path=tmp_path / "swagger.png", full_page=True)
    assert docs.problems == []
    assert docs.hosts == {urlsplit(server.url).netloc}


def test_the_policy_allows_nothing_inline_and_no_one_else(client):
    policy = client.get("/docs").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


def test_operations_open_without_a_complaint(docs):
    """One at a time, and by the page's own script: each takes the page more than a second."""
    assert docs.page.locator(".opblock-tag-section").count() > 30
    opened = []
    for scheme, first in {"light": 0, "dark": 4}.items():
        docs.page.emulate_media(color_scheme=scheme)
        opened += docs.page.evaluate(_OPEN_EACH, first)
    assert len(opened) >= 8
    assert [name for name, text in opened if "Could not resolve" in text or "Responses" not in text] == []
    assert docs.problems == []

    docs.page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.evil = 1'; document.body.append(s) }"
    )
    assert docs.page.evaluate("() => window.evil") is None  # the policy allows nothing inline
    assert any("script-src" in problem for problem in docs.problems)


def test_its_files_are_kept_for_ever_and_named_by_their_version(client):
    page = client.get("/docs").text
    addresses = [part.split('"')[0] for part in page.split('src="')[1:] + page.split('href="')[1:]]
    assets = [address for address in addresses if "/assets/" in address]
    assert len(assets) >= 3
    for address in assets:
        answer = client.get(address, buffered=True)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
